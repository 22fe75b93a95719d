"""Using finished models: talking to them, translating catalogues with them, measuring them again."""
