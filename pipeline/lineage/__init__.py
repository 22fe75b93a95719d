"""A history of language models: each rung a run of its own on the same text and budget, and what each step bought."""
