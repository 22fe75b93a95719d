"""Why a model said what it said: attribution to the tokens it read, and how far that can be believed."""
