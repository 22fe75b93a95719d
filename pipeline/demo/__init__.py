"""A page in the browser with a tab for every finished model of a run."""
