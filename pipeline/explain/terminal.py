"""An explanation on the terminal: coloured words, which can be read without colour too."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.explain.explanation import Attribution, Explanation
from pipeline.explain.sentences import completeness, headlines, what_was_said

_MARKED = 8
"""Words whose scores stand behind them."""
_SHADES = ((0.66, "bold {} reverse"), (0.33, "bold {}"), (0.1, "{}"))
"""From which share of the greatest score on a word looks how."""
_FOR, _AGAINST = "green", "red"
_WIDE = 10_000
"""Columns of an output that is no terminal: nothing is wrapped or cut."""


def print_explanation(explanation: Explanation, console: Console | None = None) -> None:
    """Print whether the methods can be believed, then their pictures and their numbers."""
    console = console or Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    for line in headlines(explanation):
        console.print(Text(line, style="bold"))
    console.print(Text(what_was_said(explanation)))
    for sentence in explanation.left_out:
        console.print(Text(sentence))
    for one in explanation.attributions:
        console.print()
        console.print(Text(one.method, style="bold underline"))
        for name, text in explanation.texts.items():
            if len(explanation.texts) > 1:
                console.print(Text(f"{name}:", style="dim"))
            console.print(_coloured(one, explanation, name, text))
        if said := completeness(one):
            console.print(Text(said))
    console.print()
    console.print(_numbers(explanation))


def _coloured(one: Attribution, explanation: Explanation, name: str, text: str) -> Text:
    """A text with its words coloured; the greatest scores stand behind theirs, with their sign."""
    told, end = Text(), 0
    marked = _greatest(one)
    for number, word in enumerate(explanation.words):
        if word.text != name:
            continue
        told.append(_visible(text[end : word.start]))
        told.append(_visible(text[word.start : word.end]), style=_style(one.words[number], one))
        if number in marked:
            told.append(f"[{one.words[number]:+.2f}]", style="dim")
        end = word.end
    told.append(_visible(text[end:]))
    return told


def _greatest(one: Attribution) -> set[int]:
    ranked = sorted(range(len(one.words)), key=lambda n: -abs(one.words[n]))
    return {n for n in ranked[:_MARKED] if one.words[n]}


def _style(score: float, one: Attribution) -> str:
    greatest = max(map(abs, one.words), default=0.0)
    share = abs(score) / greatest if greatest else 0.0
    colour = _FOR if score > 0 else _AGAINST
    return next((shade.format(colour) for least, shade in _SHADES if share >= least), "")


def _visible(text: str) -> str:
    """Without what would steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c.isspace() else "\ufffd" for c in text)


def _numbers(explanation: Explanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("mean " + explanation.unit, "deletion ↓", "p", "insertion ↑", "p"):
        table.add_column(head, justify="left" if head.startswith("mean") else "right")
    for row in rows(explanation):
        table.add_row(*row)
    return table


def rows(explanation: Explanation) -> Iterator[tuple[str, ...]]:
    """The table of numbers: areas under the curves of each method, and of random orders."""
    for one in explanation.attributions:
        found = one.faithfulness
        yield (
            one.method,
            f"{found.deletion.area:.3f}",
            f"{found.p_deletion:.2f}",
            f"{found.insertion.area:.3f}",
            f"{found.p_insertion:.2f}",
        )
    chance = explanation.chance
    spread = f"{chance.mean:.3f} ± {chance.deviation:.3f}"
    yield f"{len(chance.curves)} random orders", spread, "", spread, ""
