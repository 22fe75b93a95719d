"""Take the README's picture of a report, in the browser that its tests look through.

.venv/bin/python -m benchmarks.report_picture runs/quickstart/report/index.html
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.pages import ROOT
from tests.browser import NAMES, chromium, installed, visit

PICTURE = ROOT / "docs" / "report.png"
_WIDTH = 1200
_POINTED_AT = 0.3
"""Of the width of the first curve: where its numbers are shown."""


def main(page: Path) -> None:
    """Write ``docs/report.png``: the page from its top to the first curves, one of which is pointed at."""
    if installed() is None:
        sys.exit(f"none of {', '.join(NAMES)} is installed")
    with chromium() as browser, visit(browser, page.absolute().as_uri(), _WIDTH) as seen:
        curve = seen.page.locator("#pretrain svg:visible").first
        end = curve.evaluate("chart => chart.closest('figure').getBoundingClientRect().bottom")
        seen.page.set_viewport_size({"width": _WIDTH, "height": round(end) + 24})
        box = curve.bounding_box()
        if box is None:
            sys.exit(f"{page} has no curve of a pre-training")
        seen.page.mouse.move(box["x"] + _POINTED_AT * box["width"], box["y"] + box["height"] / 2)
        seen.page.screenshot(path=PICTURE)
    print(f"→ {PICTURE}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
