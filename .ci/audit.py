"""Ask whether a pinned package is known to be vulnerable, by pip-audit, for ``make lint``.

Exits with 1 where one is. Where the service cannot be reached nothing is known, and one line says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
SECONDS = 40
"""The longest it may take: some two hundred questions, one after the other."""
UNREACHED = ("Could not connect", "ConnectionError", "ProxyError", "SSLError", "Timeout", "not redirecting")
"""What pip-audit, and requests below it, say where there is no way to the service."""


def main() -> int:
    """Audit, print and give the exit code."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip",
        "--timeout", "5", "--progress-spinner", "off", "--format", "json",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        code, said = 0, f"not audited: the vulnerability service did not answer within {SECONDS} s"
    else:
        code, said = judged(done.stdout, done.stderr)
    print(f"pip-audit: {said}")
    return code


def judged(report: str, errors: str) -> tuple[int, str]:
    """The exit code and a sentence, by what pip-audit wrote."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        last = (errors.strip().splitlines() or ["it wrote nothing"])[-1]
        if any(words in errors for words in UNREACHED):
            return 0, f"not audited: the vulnerability service cannot be reached ({last[:160]})"
        return 1, f"it failed: {errors.strip() or last}"
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        return 0, f"not audited: the vulnerability service knows none of the {len(packages)} packages"
    found = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, mended in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version'}"
        for package in known
        for vulnerability in package["vulns"]
    ]
    if found:
        return 1, "\n  ".join(["known vulnerabilities", *found])
    unknown = sorted(package["name"] for package in packages if "skip_reason" in package)
    rest = f"; not audited, as the service does not know them: {', '.join(unknown)}" if unknown else ""
    return 0, f"no known vulnerability in {len(known)} packages{rest}"


if __name__ == "__main__":
    sys.exit(main())
