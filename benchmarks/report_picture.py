"""Take the README's picture of a report, with headless Chromium.

.venv/bin/python -m benchmarks.report_picture runs/quickstart/report/index.html
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.pages import ROOT

PICTURE = ROOT / "docs" / "report.png"
SIZE = "1200,1180"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(page: Path) -> None:
    """Write ``docs/report.png``: the top of the page as a desktop browser shows it."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"none of {', '.join(BROWSERS)} is installed")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}",
                f"--window-size={SIZE}", f"--screenshot={PICTURE}", page.absolute().as_uri(),
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
    print(f"→ {PICTURE}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
