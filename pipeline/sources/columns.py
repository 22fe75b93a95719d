"""A row's value in a column, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.errors import GroundupError, nearest, refuse_surrogates, shown
from pipeline.sources.base import Row

_MARKS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def column(row: Row, name: str, flag: str) -> Any:
    """A row's value in a column.

    Raises:
        GroundupError: when the column is missing or empty, naming the nearest one that is there, and for half a
            surrogate pair, which is no text.
    """
    if name not in row.values:
        raise GroundupError(
            row.place,
            f"there is no column '{name}' ({nearest(name, map(str, row.values))})",
            f"name the right column with --{flag}",
        )
    value = row.values[name]
    if is_empty(value):
        raise GroundupError(row.place, f"the column '{name}' is empty", "fill it in or delete the row")
    if isinstance(value, str):
        refuse_surrogates(value, row.place)
    return value


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: none, blanks, or the NaN that pandas writes for it."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def text_column(row: Row, name: str, flag: str) -> str:
    """The same for text, numbers included.

    Raises:
        GroundupError: also when the value is neither.
    """
    value = column(row, name, flag)
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise GroundupError(
            row.place,
            f"the column '{name}' holds a {type(value).__name__} and no text",
            f"name a column of text with --{flag}",
        )
    return str(value)


def marked_columns(row: Row, names: Sequence[str], flag: str) -> list[str]:
    """Those of several columns that hold 1 or true and not 0 or false.

    Raises:
        GroundupError: when one is missing, empty or holds something else.
    """
    return [name for name in names if _is_marked(row, name, flag)]


def _is_marked(row: Row, name: str, flag: str) -> bool:
    value = column(row, name, flag)
    mark = _MARKS.get(str(value).strip().lower())
    if mark is None:
        raise GroundupError(
            row.place,
            f"the column '{name}' holds '{shown(value)}', and not 0 or 1",
            "mend the row, or delete it",
        )
    return mark
