"""Scripts that measure what the documentation says, and write it there."""
