"""What writes parts of the pages, and finds the commands in them."""
