"""What a run will need, on this machine and on others, and what would fail late."""
