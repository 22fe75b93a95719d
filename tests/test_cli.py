"""The command line: fast help, overrides, and one line with exit code 2 for what a user can mend."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.verbs import VERBS
from tests.command_line import Groundup


def test_help_is_fast_and_names_every_verb() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [Path(sys.executable).with_name("groundup"), "--help"], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert all(f"\n  {verb}" in done.stdout for verb in VERBS)
    # Of the processor: half a second on a quiet machine; on a busy one it waits, too, for others.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, pipeline, pipeline.cli, pipeline.stages; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_of_a_verb_shows_settings_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["pretrain", "--help"])
    said = capsys.readouterr().out
    assert not stop.value.code and "--pretrain.learning-rate" in said and "--model.depth" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pretrian"], "did you mean 'pretrain'?"),
        (["pretrain", "--recipe", "quickstrat"], "did you mean 'quickstart'?"),
        (["pretrain", "--pretrain.learning-rat", "1"], "did you mean '--pretrain.learning-rate'?"),
        (["pretrain", "--pretrain.steps", "many"], "--pretrain.steps"),
        (["pretrain", "--pretrain.optimizer", "moun"], "did you mean 'muon'?"),
        (["pretrain", "--model.depth", "gpt2-smal"], "did you mean 'gpt2-small'?"),
        (["pretrain", "--model.depth=1.5"], "neither a number nor one of its names"),
        (["pretrain", "--model.family", "gtp2"], "did you mean 'gpt2'?"),
        (["finetune"], "no task is named"),
        (["finetune", "--task", "sentimnet"], "did you mean 'sentiment'?"),
        (["finetune", "--task", "sentiment", "--finetune.step", "3"], "did you mean '--finetune.steps'?"),
        (["finetune", "--task", "sentiment", "--lable-column", "x"], "did you mean '--label-column'?"),
        (["pretrain", "stray"], "no such setting"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_an_aligned_model_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--task", "dpo", "--runs", str(tmp_path)]) == 2
    assert "align/dpo: there is no finished model; run make align" in capsys.readouterr().err
    assert main(["finetune", "--task", "dpo", "--runs", str(tmp_path)]) == 2
    assert "has no such task" in capsys.readouterr().err


def test_an_adapter_is_chat_s_where_no_task_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["chat", "--adapter", "anna", "--runs", str(tmp_path)]) == 2
    )  # qa's optimiser takes no adapter
    assert "adapters/chat/anna" in capsys.readouterr().err


def test_the_same_from_outside(groundup: Groundup, tmp_path: Path) -> None:
    done = groundup(
        "finetune",
        "--task",
        "sentiment",
        "--data",
        tmp_path / "none.csv",
        "--runs",
        tmp_path,
        "--model",
        tmp_path,
    )
    assert done.returncode == 2 and "none.csv" in done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
