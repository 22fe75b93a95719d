"""The one way in which a setting is refused."""

from __future__ import annotations

from pipeline.errors import GroundupError


def require(holds: bool, setting: str, what: str, remedy: str) -> None:
    """Refuse a setting unless something holds.

    Raises:
        GroundupError: naming the setting and what to do.
    """
    if not holds:
        raise GroundupError(f"--{setting}", what, remedy)
