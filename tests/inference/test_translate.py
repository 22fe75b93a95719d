"""A catalogue filled in by a run's own model: what msgfmt takes, with nothing touched that was there."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import polib
import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.cli import main
from pipeline.evaluate.placeholders import are_kept
from pipeline.inference.catalogue import slots
from pipeline.model.families import model_config
from pipeline.recipe import Model, Tokenizer
from pipeline.sources.base import package_files
from pipeline.tokenizer.train import train_tokenizer

(DJANGO,) = package_files("django/conf/locale/fr/LC_MESSAGES/django.po")
Capsys = pytest.CaptureFixture[str]
HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: {}\\n"\n\n'
RUSSIAN = (
    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);"
)
CATALOGUE = """
# By a person.
#: a.py:1
msgctxt "menu"
msgid "Open"
msgstr "Ouvrir"

#. To the translator.
#: a.py:2
#, python-format
msgctxt "title"
msgid ""
"\\n"
"Open the film %(film)s number 3\\n"
msgstr ""

#, fuzzy
#| msgid "Close the story"
msgid "Close the plot"
msgstr "Fermer"

#, python-format
msgid "Open the film %(film)s number 1"
msgid_plural "Open the film %(film)s number 2"
msgstr[0] "Un film %(film)s"
msgstr[1] ""

#~ msgid "Gone"
#~ msgstr ""
"""


@pytest.fixture(scope="module")
def translating(tiny: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments that name a run whose model of translation has learnt to come to an end."""
    start, runs = (tmp_path_factory.mktemp(name) for name in ("start", "runs"))
    texts = [text for line in (data / "pairs.jsonl").open() for text in json.loads(line).values()]
    tokenizer = train_tokenizer(texts, Tokenizer(), vocabulary=400, context=64)
    config = model_config(
        Model(depth=2, width=64, context=64), len(tokenizer), eos_token_id=tokenizer.eos_token_id
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(start)
    tokenizer.save_pretrained(start)
    where = ["--recipe", str(tiny), "--runs", str(runs)]
    learnt = [
        "--finetune.steps",
        "150",
        "--finetune.learning-rate",
        "3e-3",
        "--finetune.max-new-tokens",
        "48",
    ]
    learnt += ["--finetune.global-batch", "8", "--finetune.micro-batch", "8", "--finetune.no-from-scratch"]
    assert main(["finetune", "--task", "translation", *where, "--model", str(start), *learnt]) == 0
    return where


def _checked(file: Path) -> None:
    if shutil.which("msgfmt"):
        done = subprocess.run(
            ["msgfmt", "--check", "--use-fuzzy", "-o", "/dev/null", file], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def _entries(file: Path) -> dict[tuple[str | None, str], Any]:
    return {(entry.msgctxt, entry.msgid): entry for entry in polib.pofile(str(file))}


def test_what_is_there_stays_and_the_rest_is_filled(
    translating: list[str], tmp_path: Path, capsys: Capsys
) -> None:
    file = tmp_path / "fr.po"
    file.write_text(HEADER.format("nplurals=2; plural=(n > 1);") + CATALOGUE)
    before = file.read_text()
    assert main(["translate", *translating, "--po", str(file)]) == 0
    said = capsys.readouterr().out
    assert "2 filled and marked as fuzzy, 2 kept as they were, 0 skipped" in said
    assert file.read_text() == before
    made = tmp_path / "fr.translated.po"
    _checked(made)
    was, now = _entries(file), _entries(made)
    assert list(was) == list(now)
    for key in (("menu", "Open"), (None, "Close the plot"), (None, "Gone")):
        assert str(was[key]) == str(now[key])
    title = now["title", "\nOpen the film %(film)s number 3\n"]
    assert title.fuzzy and title.comment == "To the translator." and title.occurrences == [("a.py", "2")]
    assert title.msgstr[0] == title.msgstr[-1] == "\n" and "%(film)s" in title.msgstr
    plural = now[None, "Open the film %(film)s number 1"]
    assert plural.fuzzy and plural.msgstr_plural[0] == "Un film %(film)s"
    assert "%(film)s" in plural.msgstr_plural[1]

    assert main(["translate", *translating, "--po", str(file)]) == 2
    assert "there is such a file; name another with --out" in capsys.readouterr().err
    instead = ["--out", str(file), "--overwrite", "--fuzzy"]
    assert main(["translate", *translating, "--po", str(file), *instead]) == 0
    assert "3 filled" in capsys.readouterr().out
    closed = _entries(file)[None, "Close the plot"]
    assert closed.fuzzy and closed.msgstr != "Fermer" and closed.previous_msgid is None


def test_django_s_own_catalogue_emptied(translating: list[str], tmp_path: Path, capsys: Capsys) -> None:
    catalogue = polib.pofile(str(DJANGO))
    for entry in catalogue:
        entry.msgstr, entry.msgstr_plural = "", dict.fromkeys(entry.msgstr_plural, "")
    file = tmp_path / "fr.po"
    catalogue.save(str(file))
    assert main(["translate", *translating, "--po", str(file)]) == 0
    said = capsys.readouterr().out
    made = tmp_path / "fr.translated.po"
    _checked(made)
    entries = polib.pofile(str(made))
    filled = [entry for entry in entries if entry.msgstr or any(entry.msgstr_plural.values())]
    assert len(entries) == len(catalogue) and len(filled) > 100 and f"{len(filled)} filled" in said
    for entry in filled:
        assert entry.fuzzy
        if entry.msgid_plural:
            assert len(entry.msgstr_plural) == 2 and all(entry.msgstr_plural.values())
        else:
            assert are_kept(entry.msgid, entry.msgstr)
    assert entries.metadata == catalogue.metadata and entries.header == catalogue.header


def test_what_is_no_catalogue_or_no_translator_is_refused(
    translating: list[str], tiny: Path, tmp_path: Path, capsys: Capsys
) -> None:
    def refused(*arguments: str | Path) -> str:
        assert main(["translate", *map(str, arguments)]) == 2
        return capsys.readouterr().err

    file = tmp_path / "fr.po"
    assert "use --po FILE" in refused(*translating)
    assert "there is no such file" in refused(*translating, "--po", file)
    file.write_text('msgid "a"\nmsgtsr "b"\n')
    assert "invalid catalogue" in refused(*translating, "--po", file)
    assert "it translates nothing" in refused(*translating, "--po", file, "--task", "sentiment")
    elsewhere: list[str | Path] = ["--recipe", tiny, "--runs", tmp_path]
    assert "there is no finished model" in refused(*elsewhere, "--po", file)


def _sources(plurals: str, singular: str, plural: str) -> list[str]:
    catalogue = polib.pofile(HEADER.format(plurals) + f'msgid "{singular}"\nmsgid_plural "{plural}"\n')
    return [slot.source for entry in slots(catalogue, False) for slot in entry]


@pytest.mark.parametrize(
    ("plurals", "singular", "wanted"),
    [
        ("nplurals=2; plural=(n != 1);", "One file", "one many"),
        ("nplurals=2; plural=(n > 1);", "%d file", "one many"),
        ("nplurals=1; plural=0;", "One file", "many"),  # for all numbers
        ("nplurals=1; plural=0;", "%d file", "one"),
        (RUSSIAN, "%d file", "one many many"),
        (RUSSIAN, "One file", "many many many"),  # the first is for 21, too
        ("nplurals=INTEGER; plural=EXPRESSION;", "One file", "one many"),
    ],
)
def test_each_plural_form_has_the_source_that_fits_its_numbers(
    plurals: str, singular: str, wanted: str
) -> None:
    words = {"one": singular, "many": "%d files"}
    assert _sources(plurals, singular, "%d files") == [words[word] for word in wanted.split()]
