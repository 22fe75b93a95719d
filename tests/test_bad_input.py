"""Wrong data end a run with one line that says where, what and what to do; nothing counts as finished."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.recipe import Finetune
from pipeline.tasks import task_named
from pipeline.train.data.examples import read_examples

GOOD = "".join(f"this was {word} {n},{word}\n" for n in range(20) for word in ("good", "bad"))
SQUAD = {"title": "T", "paragraphs": [{"context": "Oslo.", "qas": [{"question": "Where?", "answers": []}]}]}


def _squad(answer: str) -> str:
    question = {"question": "Where?", "answers": [{"text": answer, "answer_start": 0}]}
    articles = [{"title": f"T{n}", "paragraphs": [{"context": "Oslo.", "qas": [question]}]} for n in range(3)]
    return json.dumps({"data": articles})


def _finetune(task: str, data: Path, tiny: Path, whole_run: Path) -> list[str]:
    """Fine-tune the finished tiny model on some data, into ``runs`` beside them."""
    start, runs = whole_run / "tiny" / "pretrain", data.parent / "runs"
    paths = {"--data": data, "--recipe": tiny, "--runs": runs, "--model": start}
    return ["finetune", "--task", task, *(word for flag, path in paths.items() for word in (flag, str(path)))]


@pytest.mark.parametrize(
    ("task", "file", "content", "words"),
    [
        (
            "sentiment",
            "a.csv",
            "txet,label\nfine,good\n",
            "line 2: there is no column 'text' (did you mean 'txet'?)",
        ),
        ("sentiment", "a.csv", f"text,label\n{GOOD},good\n", "line 42: the column 'text' is empty"),
        ("sentiment", "a.csv", "", "the file is empty"),
        ("sentiment", "a.csv", "text,label\n" + GOOD.replace("bad\n", "good\n"), "have the label 'good'"),
        ("sentiment", "a.csv", "text,label\n" + GOOD + "odd,fair\n", "'fair' is outside the set"),
        (
            "sentiment",
            "a.csv",
            "text,label\n" + "".join(f"t{n},{n}\n" for n in range(40)),
            "different values",
        ),
        ("sentiment", "a.jsonl", '{"text": "a", "label": "good"}\n{"text"\n', "line 2: invalid JSON"),
        ("sentiment", "a.csv", b"text,label\nfine,good\nsch\xf6n,good\n", "line 3: byte 4 is not UTF-8"),
        ("sentiment", "a.csv", "text,label\none,good\n", "all 1 training rows have the label 'good'"),
        (
            "qa",
            "a.json",
            _squad("Bergen"),
            "item 1 paragraph 1 question 1: the answer 'Bergen' does not stand",
        ),
        ("qa", "a.json", '{"data": [{"title": "T"}]}', "there is no column 'context'"),
        ("translation", "a.jsonl", '{"source": "Open"}\n', "line 1: there is no column 'target'"),
        ("translation", "a.po", 'msgid "a"\nmsgstr "b"\nmsgid', "invalid catalogue"),
        (
            "summarization",
            "a.jsonl",
            '{"text": "Long.", "summary": 3.5}\n{"text": ["x"]}\n',
            "line 2: the column",
        ),
        (
            "chat",
            "a.jsonl",
            '{"messages": [{"role": "usr", "content": "Hi"}]}\n',
            "message 1: the role 'usr'",
        ),
    ],
)
def test_wrong_task_data(
    task: str,
    file: str,
    content: str | bytes,
    words: str,
    tiny: Path,
    whole_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    names = ("good", "bad") if "fair" in words else ()
    arguments = [*_finetune(task, tmp_path / file, tiny, whole_run), "--finetune.label-names", *names]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / file) in said and words in said and said.count("\n") == 1 and ";" in said
    manifest = json.loads((tmp_path / "runs" / "tiny" / "finetune" / task / "manifest.json").read_text())
    assert not manifest["complete"]
    assert main(arguments) == 2  # and no second look takes it for finished


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("a.txt", "", "the file is empty"),
        ("a.txt", "too short", "too few to hold some out"),
        ("a.jsonl", '{"body": "some text"}\n', "there is no column 'text'"),
        ("a.bin", "x", "no format that can be read"),
    ],
)
def test_wrong_text(
    file: str, content: str, words: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / file).write_text(content)
    arguments = ["--recipe", str(tiny), "--runs", str(tmp_path / "runs"), "--data", str(tmp_path / file)]
    assert main(["pretrain", *arguments]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / file) in said and words in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "no/such/model"], "no/such/model: AutoTokenizer cannot load it"),
        (["--data", "no_such_file.csv"], "no_such_file.csv: there is no such file"),
        (["--max-token", "9"], "--max-token: no such setting; did you mean '--max-tokens'?"),
        (["--max-tokens", "4096"], "4096 is longer than the 64 positions"),
        (["--finetune.steps", "0"], "0 steps train nothing"),
        (["--eval-data", "nothing.csv"], "nothing.csv: there is no such file"),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    words: str,
    tiny: Path,
    whole_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = ["--model", str(whole_run / "tiny" / "pretrain")]
    common = ["--recipe", str(tiny), "--runs", str(tmp_path), "--task", "sentiment"]
    assert main(["finetune", *common, *start, *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_wrong_task_data_are_refused_before_pretraining(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + GOOD.replace("bad\n", "good\n"))
    arguments = ["--recipe", str(tiny), "--runs", str(tmp_path / "runs"), "--data", str(tmp_path / "a.csv")]
    assert main(["finetune", "--task", "sentiment", *arguments, "--finetune.label-names"]) == 2
    assert "have the label 'good'" in capsys.readouterr().err and not (tmp_path / "runs").exists()


def test_mended_data_are_taken_after_a_refusal(tiny: Path, whole_run: Path, tmp_path: Path) -> None:
    quick = ["--finetune.label-names", "--finetune.steps", "1", "--tasks.sentiment.no-from-scratch"]
    arguments = [*_finetune("sentiment", tmp_path / "a.csv", tiny, whole_run), *quick]
    (tmp_path / "a.csv").write_text("text,label\n" + GOOD.replace("bad\n", "good\n"))
    assert main(arguments) == 2
    (tmp_path / "a.csv").write_text("text,label\n" + GOOD)
    assert main(arguments) == 0
    config = json.loads((tmp_path / "runs" / "tiny" / "finetune" / "sentiment" / "config.json").read_text())
    assert config["label2id"] == {"bad": 0, "good": 1}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            'recipe = Recipe(corpus=Corpus(sorces=("a",)))',
            "Corpus has no setting 'sorces' (did you mean 'sources'?)",
        ),
        ('recipe = Recipe(model=Model(depth="tyni"))', "did you mean 'tiny'?"),
        ('recipe = Recipe(pretrain=Pretrain(steps="many"))', "--pretrain.steps: 'many' is wrong"),
        ("recipe = Recipe(", "line 2: SyntaxError"),
        ("recipe = Recipe()\nunknown", "line 3: NameError"),
    ],
)
def test_wrong_recipe_files(
    code: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(f"from pipeline.recipe import *\n{code}\n")
    assert main(["plan", "--recipe", str(tmp_path / "mine.py")]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_a_place_that_cannot_be_written(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a directory")
    assert main(["pretrain", "--recipe", str(tiny), "--runs", str(tmp_path / "file")]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "file") in said and said.count("\n") == 1


BAD_ROWS = {
    "a.csv": "text,label\n" + GOOD + "one,two,three\n,good\n" + GOOD.replace("this", "that"),
    "a.jsonl": "".join(
        f"{line}\n"
        for line in (
            *(json.dumps({"text": f"it is {n}", "label": ("bad", "good")[n % 2]}) for n in range(40)),
            "{",
            "[1]",
            '{"text": 1.5}',
            '{"text": "odd", "label": null}',
            *(json.dumps({"text": f"it was {n}", "label": ("bad", "good")[n % 2]}) for n in range(40)),
        )
    ),
}


@pytest.mark.parametrize(("file", "bad"), [("a.csv", (42, 43)), ("a.jsonl", (41, 42, 43, 44))])
def test_bad_rows_are_passed_over_where_one_says_so(
    file: str, bad: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / file).write_text(BAD_ROWS[file])
    settings = Finetune(data=str(tmp_path / file), label_names=("bad", "good"))
    enough = replace(settings, skip_bad_rows=len(bad))
    parts = read_examples(task_named("sentiment", enough), 0.1, seed=0)
    assert len(parts.train) + len(parts.held_out) + len(parts.validation) == 80
    told = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in told] == [
        f"passed over, {n} of at most {len(bad)}" for n in range(1, len(bad) + 1)
    ]
    assert all(f"{file} line {number}:" in line for number, line in zip(bad, told, strict=True))
    for fewer in (0, len(bad) - 1):
        with pytest.raises(GroundupError, match=f"{file} line {bad[fewer]}:"):
            read_examples(task_named("sentiment", replace(settings, skip_bad_rows=fewer)), 0.1, seed=0)


def test_what_damages_a_whole_file_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\nfine,good\nsch\xf6n,good\n")
    settings = Finetune(data=str(tmp_path / "a.csv"), skip_bad_rows=9)
    with pytest.raises(GroundupError, match="line 3: byte 4 is not UTF-8"):
        read_examples(task_named("sentiment", settings), 0.1, seed=0)
