"""What is hidden of a row: worked by hand, by its shares, and the same whoever asks and when."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.model.published import load_tokenizer
from pipeline.recipe import Corruption, Tokenizer
from pipeline.tokenizer.train import train_tokenizer
from pipeline.train.objectives.masked import Masking
from pipeline.train.objectives.span_corruption import Spans, hidden_spans, largest_chunk, segments, sizes_of
from pipeline.train.objectives.words import WordBegins
from tests.forked import ROOT
from tests.train.objectives.small import FAMILIES, TOKENS, texts, tokenizer_stage, training_rows

END, MASK = 0, 1
SPECIAL = np.arange(100) < 2


class Begins:
    """Tokens of 50 and more go on with the word before them."""

    def __call__(self, ids: Any) -> Any:
        return np.concatenate([[True], ids[1:] < 50])


def _chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_everything_hidden_by_hand() -> None:
    masking = Masking(END, MASK, SPECIAL, share=1.0, masked=1.0, replaced=0.0)
    row = masking(np.array([5, 6, END, 7]), _chance())
    assert row["input_ids"].tolist() == [END, MASK, MASK, END, MASK]
    assert row["labels"].tolist() == [-100, 5, 6, -100, 7]


def test_hidden_tokens_may_stay_or_be_others() -> None:
    chunk = np.array([5, 6, 7])
    kept = Masking(END, MASK, SPECIAL, share=1.0, masked=0.0, replaced=0.0)(chunk, _chance())
    assert kept["input_ids"].tolist() == [END, 5, 6, 7] and kept["labels"].tolist() == [-100, 5, 6, 7]
    only_nine = np.arange(100) != 9
    other = Masking(END, MASK, only_nine, share=1.0, masked=0.0, replaced=1.0)(np.array([9, 9]), _chance())
    assert other["input_ids"].tolist() == [END, 9, 9]


def test_a_row_of_special_tokens_has_no_targets() -> None:
    row = Masking(END, MASK, SPECIAL, share=0.15)(np.array([END, END]), _chance())
    assert row["input_ids"].tolist() == [END] * 3 and (row["labels"] == -100).all()


def test_the_shares_of_masking() -> None:
    masking, chance = Masking(END, MASK, SPECIAL, share=0.15), _chance()
    chunk = np.arange(2, 100).repeat(2)
    rows = [masking(chunk, chance) for _ in range(1000)]
    ids, labels = (np.stack([row[name] for row in rows]) for name in ("input_ids", "labels"))
    hidden = labels >= 0
    assert (hidden.sum(1) == round(0.15 * len(chunk))).all()
    count = hidden.sum()
    masked, same = (ids[hidden] == MASK).sum() / count, (ids[hidden] == labels[hidden]).sum() / count
    assert masked == pytest.approx(0.8, abs=0.01)
    assert same == pytest.approx(0.1 + 0.1 / 98, abs=0.01)  # what is drawn may be the token itself
    by_place = hidden[:, 1:].mean(0)
    assert by_place.std() < 2 * np.sqrt(0.15 * 0.85 / 1000) and not hidden[:, 0].any()
    drawn = ids[hidden & (ids != MASK) & (ids != labels)]
    assert drawn.min() >= 2 and len(set(drawn.tolist())) == 98
    assert (ids[~hidden] == np.stack([np.append(END, chunk)] * 1000)[~hidden]).all()


def test_words_are_hidden_whole() -> None:
    words: Any = Begins()
    masking = Masking(END, MASK, SPECIAL, share=0.3, words=words, masked=1.0, replaced=0.0)
    chunk = np.array([2, 50, 51, 3, 4, 52, END, 5, 6, 53])  # 2+50+51 · 3 · 4+52 · END · 5 · 6+53
    seen = set()
    for seed in range(200):
        row = masking(chunk, _chance(seed))
        hidden = np.flatnonzero(row["labels"] >= 0) - 1
        assert 1 <= len(hidden) <= 3  # of nine tokens that are not special
        for word in ([0, 1, 2], [3], [4, 5], [7], [8, 9]):
            inside = set(word) & set(hidden.tolist())
            assert inside in (set(), set(word))
            seen |= inside
    assert seen == {0, 1, 2, 3, 4, 5, 7, 8, 9}


def test_where_no_word_is_short_enough_the_shortest_is_hidden() -> None:
    words: Any = Begins()
    masking = Masking(END, MASK, SPECIAL, share=0.1, words=words)
    row = masking(np.array([2, 50, 51, 52, 3, 53, 54]), _chance())
    assert np.flatnonzero(row["labels"] >= 0).tolist() == [5, 6, 7]


@pytest.mark.parametrize("algorithm", ["bpe", "unigram", "wordpiece", "word"])
def test_words_begin_where_the_tokenizer_begins_them(algorithm: Any) -> None:
    sample = ["the unfortunate unfortunately fortunate, fortune 1234567 (reportedly) naïve über"] * 20
    tokenizer = train_tokenizer(sample, Tokenizer(algorithm=algorithm), 330, 64)
    text = "the unfortunate (fortunately), 12 naïve"
    ids = np.array(tokenizer(text, add_special_tokens=False)["input_ids"])
    tokens, begins = tokenizer.convert_ids_to_tokens(ids.tolist()), WordBegins(tokenizer)(ids)
    words: list[list[str]] = []
    for token, is_first in zip(tokens, begins, strict=True):
        words += [[token]] if is_first else []
        words[-1] += [] if is_first else [token]
    bare = [tokenizer.convert_tokens_to_string(word).strip() for word in words]
    if algorithm in ("word", "wordpiece"):
        assert len(words) >= 5 and all(len(word) == 1 for word in words if algorithm == "word")
    else:
        assert [piece for piece in bare if piece.isalpha()] == ["the", "unfortunate", "fortunately", "naïve"]
    assert "12" in bare or algorithm == "word"


def test_one_span_by_hand() -> None:
    spans = Spans(Corruption(share=0.5, mean_span=2.0), sentinels=np.array([90, 91, 92]), begins=1, end=END)
    row = spans(np.array([5, 6, 7, 8]), _chance())  # of four tokens two in one span: the last two
    assert row["input_ids"].tolist() == [5, 6, 90, END]
    assert row["labels"].tolist() == [90, 7, 8, 91, END]
    assert row["decoder_input_ids"].tolist() == [1, 90, 7, 8, 91]


def test_two_spans_by_hand() -> None:
    spans = Spans(Corruption(share=0.5, mean_span=1.0), sentinels=np.array([90, 91, 92]), begins=1, end=END)
    row = spans(np.array([5, 6, 7, 8]), _chance())
    assert row["input_ids"].tolist() == [5, 90, 7, 91, END]
    assert row["labels"].tolist() == [90, 6, 91, 8, 92, END]


def test_the_shares_of_spans() -> None:
    sizes, chance = sizes_of(200, Corruption()), _chance()
    assert (sizes.hidden, sizes.spans, sizes.read, sizes.written) == (30, 10, 181, 42)
    hidden = np.stack([hidden_spans(sizes, chance) for _ in range(2000)])
    starts = hidden & ~np.pad(hidden[:, :-1], ((0, 0), (1, 0)))
    assert (hidden.sum(1) == 30).all() and (starts.sum(1) == 10).all() and not hidden[:, 0].any()
    lengths = np.concatenate([segments(30, 10, chance) for _ in range(2000)])
    # Of the lists of ten lengths that add up to 30, a share C(28, 8) / C(29, 9) begins with 1.
    assert lengths.mean() == 3 and (lengths == 1).mean() == pytest.approx(9 / 29, abs=0.01)


@pytest.mark.parametrize("context", [16, 256, 512])
def test_a_row_is_as_full_as_it_can_be(context: int) -> None:
    sizes = largest_chunk(context, Corruption())
    longer = sizes_of(sizes.chunk + 1, Corruption())
    assert sizes.read <= context < longer.read and sizes.chunk > context - 2


def test_a_row_is_the_same_in_any_order_and_any_process(tmp_path: Path) -> None:
    stage = tokenizer_stage(tmp_path / "stage")
    order = list(range(24))
    random.Random(0).shuffle(order)
    wanted = []
    for objective in FAMILIES:
        rows, again = (training_rows(objective, stage, tmp_path) for _ in range(2))
        ascending = {i: {name: v.tolist() for name, v in rows[i].items()} for i in range(24)}
        assert {i: {name: v.tolist() for name, v in again[i].items()} for i in order} == ascending
        wanted += [ascending[7], ascending[3]]
    command = [sys.executable, "-m", "tests.train.objectives.small", str(stage)]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True, timeout=200
    )
    assert [literal_eval(line) for line in done.stdout.splitlines()] == wanted


def test_every_pass_hides_other_tokens_of_the_same_chunks(tmp_path: Path) -> None:
    rows = training_rows(
        "masked", tokenizer_stage(tmp_path / "stage", train=texts(3), validation=texts(1)), tmp_path
    )
    size = int(rows.chunks.first[-1])  # type: ignore[union-attr]
    passes: list[dict[tuple[int, ...], list[int]]] = [{}, {}]
    for number, found in enumerate(passes):
        for index in range(number * size, (number + 1) * size):
            found[tuple(rows.chunks[index].tolist())] = rows[index]["labels"].tolist()
    assert passes[0].keys() == passes[1].keys() and len(passes[0]) > 3
    assert all(passes[0][chunk] != passes[1][chunk] for chunk in passes[0])


def test_what_hides_text_is_in_the_tokenizer_and_never_in_text(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(tokenizer_stage(tmp_path / "stage")))
    assert tokenizer.mask_token == "<|mask|>" and len(tokenizer) <= TOKENS.vocabulary
    names = ["<|mask|>", "<extra_id_0>", "<extra_id_7>"]
    ids = tokenizer.convert_tokens_to_ids(names)
    assert len(set(ids)) == 3 and set(ids) <= set(tokenizer.all_special_ids)
    for algorithm in ("bpe", "unigram", "wordpiece", "word"):
        settings = Tokenizer(algorithm=algorithm, mask=True, sentinels=2)
        made = train_tokenizer([" ".join(names[:2] + texts(1))] * 5, settings, 400, 64)
        read = made(f"{names[0]} {names[1]} monday", split_special_tokens=True)["input_ids"]
        assert not set(read) & set(made.convert_tokens_to_ids(names[:2]))


def test_tokenizers_are_as_before_where_nothing_is_asked_for() -> None:
    made = train_tokenizer(texts(2), Tokenizer(), 300, 64)
    assert made.mask_token is None and "<extra_id_0>" not in made.get_vocab()
    first = made.convert_ids_to_tokens(list(range(8)))
    assert first[:2] == ["<|endoftext|>", "<|pad|>"] and len(first[6]) == len(first[7]) == 1
