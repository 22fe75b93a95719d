"""A stream of text: the same rows whenever they are made, by the weights, without what something is measured on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.evaluate.split import is_held_out
from pipeline.recipe import Corpus, Stream
from pipeline.tokenizer.encode import load_encoder
from pipeline.train.data.streaming import StreamedRows
from pipeline.train.data.windows import Place, Reader, Text, Windows

ROWS, LENGTH, HELD_OUT = 400, 32, 0.2
PLAIN = Corpus(minimum_characters=1, decontaminate=5, mask_personal_data=False)


@pytest.fixture
def sources(tmp_path: Path) -> tuple[str, str]:
    paths = []
    for name, count in (("a", 90), ("b", 40)):
        path = tmp_path / f"{name}.jsonl"
        texts = (
            f"{name} {n} " + " ".join(f"{name}{n}word{w}" for w in range(1 + n % 5)) for n in range(count)
        )
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        paths.append(str(path))
    return paths[0], paths[1]


@pytest.fixture
def text(sources: tuple[str, str]) -> Text:
    return Text(Stream(sources, (3.0, 1.0), window=400), PLAIN, HELD_OUT, seed=3, measured=())


def _rows(text: Text, whole_run: Path, place: Path, rows: int = ROWS) -> StreamedRows:
    tokenizer = load_encoder(whole_run / "tiny" / "tokenizer" / "tokenizer.json")
    size = tokenizer.get_vocab_size()
    windows = Windows(text, tokenizer, size - 1, size, LENGTH, place / "stream")
    return StreamedRows(windows, rows, seed=3, padding=0, checkpoints=place, global_batch=4)


def _ids(row: dict[str, torch.Tensor]) -> list[int]:
    return row["input_ids"].tolist()


def test_rows_are_the_same_from_wherever_they_are_read(text: Text, whole_run: Path, tmp_path: Path) -> None:
    rows = _rows(text, whole_run, tmp_path / "one")
    whole = [_ids(rows[i]) for i in range(ROWS)]
    windows = rows.windows
    assert rows.number >= 3 and windows.known(rows.number + 1) is None  # no window more than is trained on
    again = _rows(text, whole_run, tmp_path / "one")
    assert [_ids(again[i]) for i in range(ROWS)] == whole
    windows.forget(320)
    assert windows.whole(0) is None and windows.known(0) is not None
    resumed = _rows(text, whole_run, tmp_path / "one")
    assert [_ids(resumed[i]) for i in range(320, ROWS)] == whole[320:] and windows.whole(0) is None
    from_an_older_checkpoint = _rows(text, whole_run, tmp_path / "one")
    assert [_ids(from_an_older_checkpoint[i]) for i in range(4, ROWS)] == whole[4:]


def test_what_every_checkpoint_has_behind_it_goes(text: Text, whole_run: Path, tmp_path: Path) -> None:
    rows = _rows(text, whole_run, tmp_path)
    for index in range(ROWS):
        assert rows[index]
        if index % 12 == 0:
            (tmp_path / f"checkpoint-{index // 4}").mkdir()
        windows = (rows.windows.whole(number) for number in range(rows.number + 1))
        assert sum(window is not None for window in windows) <= 3
    assert not any((tmp_path / "stream" / "rows").glob("000000.*"))


def test_every_document_is_given_once_in_a_pass_but_those_held_out(
    text: Text, sources: tuple[str, str]
) -> None:
    reader, given = Reader(text, Place.beginning(2)), Counter[str]()
    while not all(reader.place.passes):
        source, documents = reader.documents()
        reader.give(source, sum(len(document.split()) for document in documents))
        given.update(documents)
    for number, path in enumerate(sources):
        texts = [json.loads(line)["text"] for line in Path(path).read_text().splitlines()]
        kept = [text for text in texts if not is_held_out(text, HELD_OUT, 3)]
        assert 0 < len(kept) < len(texts)
        passes = reader.place.passes[number]
        assert {given[text] for text in kept} <= {passes, passes + 1}
        assert not any(given[text] for text in set(texts) - set(kept))


def test_tokens_are_as_the_weights(sources: tuple[str, str], whole_run: Path, tmp_path: Path) -> None:
    text = Text(Stream(sources, (3.0, 1.0), window=20_000), PLAIN, HELD_OUT, seed=3, measured=())
    tokens = _rows(text, whole_run, tmp_path).windows.make(0).end.tokens
    assert tokens[0] / tokens[1] == pytest.approx(3, rel=0.1)


def test_passages_that_something_is_measured_on_are_not_given(sources: tuple[str, str]) -> None:
    lines = Path(sources[0]).read_text().splitlines()
    measured = next(
        text for text in (json.loads(line)["text"] for line in lines) if len(text.split()) > 5
        and not is_held_out(text, HELD_OUT, 3)
    )  # fmt: skip
    for known, expected in (((), 1), ((f"before {measured} after",), 0)):
        text = Text(Stream(sources[:1], window=400), PLAIN, HELD_OUT, seed=3, measured=known)
        reader = Reader(text, Place.beginning(1))
        given: list[str] = []
        while not reader.place.passes[0]:
            given += reader.documents()[1]
        assert given.count(measured) == expected


def test_text_that_changed_is_refused(
    text: Text, sources: tuple[str, str], whole_run: Path, tmp_path: Path
) -> None:
    windows = _rows(text, whole_run, tmp_path).windows
    windows.make(0)
    windows.forget(10**9)
    lines = Path(sources[0]).read_text().splitlines(keepends=True)
    Path(sources[0]).write_text("".join(lines[5:]))
    with pytest.raises(GroundupError, match="window 0 of the stream is not what it was"):
        _rows(text, whole_run, tmp_path).windows.make(0)


def test_a_stream_of_nothing_is_refused(
    tiny: Path, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "short.jsonl").write_text('{"text": "short"}\n' * 9)
    common = ["--recipe", str(tiny), "--runs", str(tmp_path)]
    assert main(["pretrain", *common, "--pretrain.stream.sources", str(tmp_path / "short.jsonl")]) == 2
    said = capsys.readouterr().err
    assert "short.jsonl: none of its 9 rows holds a text to train on; give more text" in said
    assert main(["pretrain", *common, "--pretrain.stream.sources", "nowhere.jsonl"]) == 2
    assert "nowhere.jsonl: there is no such file" in capsys.readouterr().err
