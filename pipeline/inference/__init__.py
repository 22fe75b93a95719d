"""Using finished models: talking to them, measuring them again."""
