"""The one script that a page has."""

from __future__ import annotations

from pipeline.report.render import script


def without_script(page: str) -> str:
    """A page without the script that is its own, which must stand in it once: what is left may have none."""
    own = f"<script>{script()}</script>"
    assert page.count(own) == 1
    return page.replace(own, "")
