"""Exports of one model as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from pipeline.artifacts import Artifact
from pipeline.export.export import ORIGINAL
from pipeline.processes import is_main
from pipeline.report.tables import ABSENT, drawn, number, print_table, words

_MEGABYTE = 1e6


def columns_of(exports: Sequence[Artifact]) -> list[str]:
    """The head of ``rows_of``."""
    told = _told(exports[0])
    return [
        "",
        "MB",
        "of the original",
        "largest difference of logits",
        "predictions alike",
        words(told["metric"]),
        f"{told['unit']} a second",
        "the original's then",
    ]


def rows_of(exports: Sequence[Artifact]) -> list[list[str]]:
    """The original, and a row for each of its exports; what cannot be measured is left blank."""
    metric = _told(exports[0])["metric"]
    first = exports[0].metrics()[ORIGINAL]
    whole = [ORIGINAL, _megabytes(first), "1", "", "", number(first[metric], metric), "", ""]
    return [whole, *map(_row, exports)]


def _row(artifact: Artifact) -> list[str]:
    told, metrics = _told(artifact), artifact.metrics()
    name, row = next((name, row) for name, row in metrics.items() if name != ORIGINAL)
    rate = f"{told['unit']}_per_second"
    return [
        name,
        _megabytes(row),
        f"{row['ratio']:.2f}",
        f"{row['largest_difference']:.1e}",
        f"{row['agreement']:.1%}",
        number(row[told["metric"]], told["metric"]),
        *(f"{metrics[which][rate]:.4g}" if rate in row else ABSENT for which in (name, ORIGINAL)),
    ]


def print_exports(exports: Sequence[Artifact]) -> None:
    """Print the table, and what it was measured on."""
    if not is_main():
        return
    title = exports[0].manifest()["stage"].rpartition("/")[0]
    print_table(Text(title, style="bold"), drawn(columns_of(exports), rows_of(exports)))
    told = _told(exports[0])
    print(f"Compared on {told['entries']:,} held-out {_ENTRIES[told['unit']]}.")


_ENTRIES = {"examples": "examples", "tokens": "documents"}
"""What there are entries of, by what speed counts."""


def _told(artifact: Artifact) -> dict[str, Any]:
    return next(iter(artifact.details().values()))


def _megabytes(row: dict[str, Any]) -> str:
    return f"{row['bytes'] / _MEGABYTE:.2f}"
