"""What lm-eval measured of a run's models: its tables, and what of it may be chance."""

from __future__ import annotations

from rich.text import Text

from pipeline.artifacts import Artifact
from pipeline.processes import is_main
from pipeline.report.tables import Metrics, columns, drawn, number, print_table, words

_STANDARD_ERRORS = 1.96
"""Of a 95 % interval."""


def print_yardsticks(artifact: Artifact) -> None:
    """Print a row for each task, and below which of them the model may have guessed."""
    if not is_main():
        return
    metrics = artifact.metrics()
    names = columns(metrics)
    rows = [[task, *(number(row.get(name), name) for name in names)] for task, row in metrics.items()]
    title = Text(f"{artifact.manifest()['stage']}, by lm-eval", style="bold")
    print_table(title, drawn(["", *map(words, names)], rows))
    for sentence in guesses(metrics):
        print(sentence)


def guesses(metrics: Metrics) -> list[str]:
    """One sentence for each task whose accuracy is not surely above chance, by its standard error."""
    return [
        f"On {task} the model may as well guess: accuracy {number(row['acc'])}, chance {number(row['chance'])}, "
        f"standard error {number(row['acc_stderr'])}."
        for task, row in metrics.items()
        if {"acc", "acc_stderr", "chance"} <= set(row)
        and row["acc"] - _STANDARD_ERRORS * row["acc_stderr"] <= row["chance"]
    ]
