"""docs/settings.md says what the dataclasses say, in the command line's own words."""

from __future__ import annotations

import dataclasses
import re

import pytest

from docs.scripts.settings import PAGE, changed, page
from pipeline.cli import main
from pipeline.overrides import flags, override, value_of
from pipeline.recipe import Executor, Finetune, Pretrain, Recipe, Watch

Rows = dict[str, list[str]]
_ROW = re.compile(r"^\| `(--tasks\.TASK\.[^`]+|--[^`]+)` \|(.*)\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def made() -> str:
    """The page as it would be written now."""
    return page()


@pytest.fixture(scope="module")
def rows(made: str) -> dict[str, list[str]]:
    """The cells beside each flag; of flags that several verbs have, the first."""
    found: dict[str, list[str]] = {}
    for flag, cells in _ROW.findall(made):
        found.setdefault(flag, [cell.strip() for cell in re.split(r"(?<!\\)\|", cells)])
    return found


def test_the_page_is_what_the_dataclasses_say(made: str) -> None:
    assert made == PAGE.read_text("utf-8"), "run make docs"


def test_every_setting_has_its_row_a_type_and_words(rows: Rows) -> None:
    assert set(flags(Recipe(tasks={"TASK": Finetune()}))) <= set(rows)
    assert all(cells[0] and cells[-1] for cells in rows.values())


def test_the_command_line_s_help_has_every_flag(rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["finetune", "--task", "sentiment", "--help"])
    said = set(re.findall(r"--[\w.-]+", capsys.readouterr().out))
    recipe = {flag for flag in flags(Recipe(tasks={"TASK": Finetune()})) if flag in rows}
    assert len(recipe) > 150
    assert {flag.replace("TASK", "sentiment") for flag in recipe} <= said


def test_defaults_are_what_the_page_says(rows: Rows) -> None:
    recipe = Recipe(tasks={"TASK": Finetune()})
    told = {flag: cells for flag, cells in rows.items() if flag in flags(recipe)}
    stated = []
    for flag, cells in told.items():
        values = re.findall(r"`([^`]*)`", cells[1])
        value = value_of(recipe, flag)
        if isinstance(value, bool):
            assert cells[1] == ("on" if value else "off")
        elif values:
            stated += [flag, *values]
        else:
            assert value in ("", ()), flag
    other = changed(recipe, "--model.width", int)
    for flag in ("--seed", "--pretrain.betas", "--tasks.TASK.learning-rate", "--tasks.TASK.problem"):
        other = changed(other, flag, flags(other)[flag])
    assert override("groundup run", other, stated, ["TASK"]) == recipe


@pytest.mark.parametrize(("section", "kind"), [("pretrain", Pretrain), ("tasks.TASK", Finetune)])
def test_incidental_settings_make_nothing_anew(section: str, kind: type, rows: Rows) -> None:
    for field in dataclasses.fields(kind):
        flag = f"--{section}.{field.name.replace('_', '-')}"
        if flag in rows:
            assert (rows[flag][2] == "–") == bool(field.metadata.get("incidental")), flag


@pytest.mark.parametrize(("section", "kind"), [("executor", Executor), ("watch", Watch)])
def test_where_and_how_it_is_watched_makes_nothing_anew(section: str, kind: type, rows: Rows) -> None:
    names = [field.name.replace("_", "-") for field in dataclasses.fields(kind)]
    assert all(rows[f"--{section}.{name}"][2] == "–" for name in names)


def test_a_setting_makes_anew_the_stage_that_reads_it(rows: Rows) -> None:
    anew = {flag: cells[2] for flag, cells in rows.items()}
    assert anew["--seed"] == anew["--corpus.megabytes"] == "`corpus`"
    assert anew["--tokenizer.digits"] == anew["--model.context"] == "`tokenizer`"
    assert anew["--model.depth"] == anew["--pretrain.stream.window"] == "`pretrain`"
    assert anew["--tasks.TASK.privacy.epsilon"] == "the task" and anew["--dpo.beta"] == "`align/dpo`"
