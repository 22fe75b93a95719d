"""A row's value in a column, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.errors import GroundupError, nearest, refuse_surrogates
from pipeline.sources.base import Row

_MARKS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def column(row: Row, name: str, flag: str) -> Any:
    """A row's value in a column.

    Raises:
        GroundupError: when the column is missing or empty, naming the nearest one that is there.
    """
    if name not in row.values:
        raise GroundupError(
            row.place,
            f"there is no column '{name}' ({nearest(name, map(str, row.values))})",
            f"name the right column with --{flag}",
        )
    value = row.values[name]
    if value is None or (isinstance(value, str) and not value.strip()):
        raise GroundupError(row.place, f"the column '{name}' is empty", "fill it in or delete the row")
    return value


def text_column(row: Row, name: str, flag: str) -> str:
    """The same for text, numbers included.

    Raises:
        GroundupError: also when the value is neither, or has half a surrogate pair, which is no text.
    """
    value = column(row, name, flag)
    if not isinstance(value, str | int | float):
        raise GroundupError(
            row.place,
            f"the column '{name}' holds a {type(value).__name__} and no text",
            f"name a column of text with --{flag}",
        )
    text = str(value)
    refuse_surrogates(text, row.place)
    return text


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
            row.place, f"the column '{name}' holds '{value}', and not 0 or 1", "mend the row, or delete it"
        )
    return mark
