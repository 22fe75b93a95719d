"""Names of classes: a cell's value to one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pipeline.errors import GroundupError, listed, nearest, shown

MOST_CLASSES = 200


def class_name(value: Any, names: Sequence[str], place: str) -> str:
    """A name, or the number of one of ``names``, to the name; without names every value is one.

    Raises:
        GroundupError: for a value that is neither text nor a number, or is outside the set.
    """
    if not isinstance(value, str | int | float):
        kind = type(value).__name__
        raise GroundupError(place, f"the label is a {kind}", "use names or numbers as labels")
    if isinstance(value, float) and not math.isfinite(value):
        raise GroundupError(place, f"the label is {value:g}", "use names or numbers as labels")
    label = f"{value:g}" if isinstance(value, float) else str(value).strip().removesuffix(".0")
    if not names or label in names:
        return label
    if label.isdecimal() and int(label) < len(names):
        return names[int(label)]
    known = f"{nearest(label, names)}; the labels are {listed(names)}"
    raise GroundupError(
        place,
        f"the label '{shown(label)}' is outside the set ({known})",
        "mend the row, or name all labels with --finetune.label-names",
    )


def refuse_many(count: int, rows: int, where: str, column: str) -> None:
    """Refuse a column that holds as many different values as texts: it is hardly one of labels.

    Raises:
        GroundupError: naming the column.
    """
    if count > MOST_CLASSES or (rows > 20 and count > rows / 2):
        raise GroundupError(
            where,
            f"the column '{column}' holds {count} different values in {rows} rows",
            "name the column of labels with --label-column",
        )
