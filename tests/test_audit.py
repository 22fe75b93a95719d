"""make lint fails on a known vulnerability, and says so where nothing could be asked."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable

import pytest

from tests.command_line import ROOT

CLEAN = {"name": "six", "version": "1.17.0", "vulns": []}
UNKNOWN = {"name": "mine", "skip_reason": "Dependency not found on PyPI and could not be audited: mine (1)"}
VULNERABLE = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2021-66", "fix_versions": ["2.11.3"], "aliases": [], "description": ""}],
}


@pytest.fixture(scope="module")
def judged() -> Callable[[str, str], tuple[int, str]]:
    """The script's judgement of what pip-audit wrote."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.judged


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        (
            [CLEAN, UNKNOWN],
            0,
            "no known vulnerability in 1 packages; not audited, as the service does not know",
        ),
        ([UNKNOWN], 0, "not audited: the vulnerability service knows none of the 1 packages"),
        ([CLEAN, VULNERABLE], 1, "jinja2 2.4.1: PYSEC-2021-66, mended in 2.11.3"),
    ],
)
def test_a_report_is_judged(
    judged: Callable[[str, str], tuple[int, str]], packages: list[object], code: int, words: str
) -> None:
    found = judged(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert found[0] == code and words in found[1]


@pytest.mark.parametrize(
    ("errors", "code", "words"),
    [
        ("ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed", 0, "cannot be reached"),
        ("requests.exceptions.ConnectionError: Max retries exceeded", 0, "not audited"),
        ("ERROR:pip_audit._cli:invalid requirements input: a==b==c", 1, "it failed: ERROR"),
    ],
)
def test_no_report_is_told(
    judged: Callable[[str, str], tuple[int, str]], errors: str, code: int, words: str
) -> None:
    found = judged("", errors)
    assert found[0] == code and words in found[1]


def test_every_package_is_pinned_once() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = [line.partition("==")[0].lower().replace("_", "-") for line in lines]
    assert len(set(names)) == len(names) and all("==" in line for line in lines)
