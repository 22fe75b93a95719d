"""Watching a training: what is measured at every step, where it is told, what the model writes meanwhile."""
