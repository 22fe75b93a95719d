"""Pages of Spaces: each file is the whole ``app.py`` of one, and needs Gradio, transformers and torch alone.

They read ``settings.json`` beside them, so that no name or prompt is ever part of their code.
"""
