"""The page: a tab for each finished model, and what is missing."""

from __future__ import annotations

from typing import Any

import gradio as gr

from pipeline.demo.asking import ask_tab
from pipeline.demo.continuing import continue_tab
from pipeline.demo.shelf import Shelf
from pipeline.demo.talking import talk_tab
from pipeline.errors import GroundupError
from pipeline.inference.chat import CHAT
from pipeline.publish.markdown import code, escaped

_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif")
_SYSTEM_MONO = ("ui-monospace", "Menlo", "Consolas", "monospace")
CSS = """
.main.fillable {
    width: 100% !important; max-width: 56rem !important; margin: 0 auto !important; padding: 1rem !important;
}
button[role="tab"].selected { color: #1d4ed8 !important; }
.dark button[role="tab"].selected { color: #93c5fd !important; }
:focus-visible { outline: 3px solid #1d4ed8 !important; outline-offset: 2px; }
.dark :focus-visible { outline-color: #93c5fd !important; }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
"""
"""A readable width, and a ring round what the keyboard is at."""


def page(shelf: Shelf) -> gr.Blocks:
    """All that can be tried of a run.

    Raises:
        GroundupError: when no model is finished.
    """
    tasks, aligned, name = shelf.tasks, shelf.aligned, shelf.run.recipe.name
    asked = {task: made for task, made in tasks.items() if made.asks and task != CHAT}
    talks = [*(task for task in tasks if task == CHAT), *aligned]
    continues = shelf.is_finished("pretrain")
    if not (asked or talks or continues):
        raise GroundupError(str(shelf.run.path), "there is no finished model", "run make pretrain")
    with gr.Blocks(title=f"Groundup: {name}", analytics_enabled=False) as made:
        gr.Markdown(f"# {escaped(name)}\n\nThe models of this run. Each is loaded when it is first used.")
        with gr.Tabs():
            if talks:
                with gr.Tab("Chat"):
                    talk_tab(shelf, talks)
            for task, settings in asked.items():
                with gr.Tab(task.capitalize() if len(task) > 2 else task.upper()):
                    ask_tab(shelf, task, settings)
            if continues:
                with gr.Tab("Next token"):
                    continue_tab(shelf)
        if shelf.missing:
            lines = [f"- {escaped(one.what)}: {code(one.command)}" for one in shelf.missing]
            gr.Markdown("\n".join(["Not finished, and the command that makes each:", "", *lines]))
    return made


def theme() -> Any:
    """Gradio's plain one; fonts are the machine's, as nothing is fetched, and contrasts 4.5 or more (WCAG 2.2)."""
    plain = gr.themes.Default(
        primary_hue="blue", neutral_hue="slate", font=_SYSTEM_FONTS, font_mono=_SYSTEM_MONO
    )
    return plain.set(
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        body_text_color_subdued="*neutral_500",
    )
