"""How long examples are, and what becomes of those that are too long."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.recipe import Finetune, Tokenizer
from pipeline.tasks import task_named
from pipeline.tasks.base import Example
from pipeline.tokenizer.train import train_tokenizer
from pipeline.train.data.lengths import lengths_of


class _Config:
    is_encoder_decoder = False


def _tokenizer() -> Any:
    """Each of these words is one token, and so is the blank before it."""
    return train_tokenizer(["one two three four"] * 50, Tokenizer(algorithm="word"), 320, 64)


def _found(task: str, fields: list[dict[str, Any]], **settings: Any) -> Any:
    made, tokenizer = task_named(task, Finetune(max_tokens=8, **settings)), _tokenizer()
    made.prepare_tokenizer(tokenizer)
    examples = [Example(each, "here", str(number)) for number, each in enumerate(fields)]
    config = _Config()
    for name, value in made.model_config(examples).items():
        setattr(config, name, value)
    return lengths_of(made, examples, tokenizer, config, seed=0), tokenizer


def test_texts_are_cut_or_read_in_windows() -> None:
    fields = [{"text": " ".join(["one"] * n), "label": "ab"[n % 2]} for n in (1, 2, 30, 40)]
    found, tokenizer = _found("sentiment", fields)
    whole = [len(tokenizer(each["text"])["input_ids"]) for each in fields]
    assert (found.drawn, found.cut, found.divided, found.left_out, found.over) == (4, 2, 0, 0, 2)
    assert found.longest == max(whole) > 8
    assert found.mean == pytest.approx(sum(min(8, n) for n in whole) / 4)
    windows, _ = _found("sentiment", fields, long_texts="windows")
    assert (windows.cut, windows.divided, windows.longest) == (0, 2, found.longest)


def test_pairs_that_do_not_fit_are_left_out() -> None:
    fields = [{"source": "one", "target": " ".join(["two"] * n)} for n in (1, 30)]
    found, _ = _found("translation", fields)
    assert (found.cut, found.left_out) == (0, 1) and found.longest > 30


def test_conversations_are_told_in_parts_or_cut() -> None:
    def talk(words: int, turns: int) -> dict[str, Any]:
        said = [{"role": role, "content": " ".join(["one"] * words)} for role in ("user", "assistant")]
        return {"messages": said * turns}

    found, _ = _found("chat", [talk(1, 1), talk(1, 3), talk(3, 1)])
    assert (found.cut, found.divided, found.left_out) == (1, 1, 0)


def test_nothing_that_fits_is_nothing_to_tell() -> None:
    assert _found("translation", [{"source": "one", "target": " ".join(["two"] * 30)}])[0] is None
