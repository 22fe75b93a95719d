"""Pages; what writes and reads them is in scripts/."""
