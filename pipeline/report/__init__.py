"""What a person reads after a run: tables in the terminal and one page."""
