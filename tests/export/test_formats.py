"""Formats on small models of several families: the same logits, batch by batch and token by token."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import tokenizers as backends
import torch
import transformers
from transformers import PreTrainedTokenizerFast

from pipeline.errors import GroundupError
from pipeline.export.check import TOLERANCE
from pipeline.export.formats import FORMATS
from pipeline.export.formats.base import Format
from pipeline.export.formats.gguf_tokenizer import rule_of
from pipeline.export.original import WRITER, Original
from pipeline.model.families import model_config
from pipeline.model.published import load_config, load_model, load_tokenizer
from pipeline.recipe import Model, Tokenizer
from pipeline.tokenizer.train import train_tokenizer
from tests.tasks.bases import publish

_TORCHAO = pytest.mark.skipif(find_spec("torchao") is None, reason="int8 needs make setup-torchao")
TEXTS = [
    "The film in the harbour was dull, and stayed 1234 minutes.",
    "It's what we'll do:\n\n  the café, 20 km north.",
    "Naïve stories don't end; the plot — clever, warm — does.",
]
SHAPES = [(1, 1, 0), (1, 9, 0), (3, 7, 0), (2, 1, 5), (4, 6, 3)]
"""Batch, tokens, and tokens that were read before."""


def tokenizer_of(**settings: Any) -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS * 20, Tokenizer(**settings), 400, 64)


def writer(family: str, directory: Path) -> Original:
    """A small model with weights that are drawn, norms and biases too, saved."""
    tokenizer = tokenizer_of()
    torch.manual_seed(0)
    shape = Model(family=family, depth=2, width=128, context=64)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model = transformers.AutoModelForCausalLM.from_config(
        model_config(shape, 448, **ends), dtype="float32"
    ).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 1.0, 0.3)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return Original("pretrain", model, tokenizer, WRITER, directory, None)


def written(name: str, original: Original, directory: Path) -> tuple[Format, Any]:
    """The format, and what it reads of what it wrote."""
    directory.mkdir()
    made = FORMATS[name]
    made.refuse(original)
    made.write(original, directory, TEXTS)
    return made, made.model(directory, original.head)


def off(one: Any, other: Any) -> float:
    with torch.no_grad():
        return float((one - other).abs().max())


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_gguf_is_the_model_and_its_tokenizer(family: str, tmp_path: Path) -> None:
    original = writer(family, tmp_path / "model")
    ids = torch.randint(0, 448, (3, 20))
    made, model = written("gguf", original, tmp_path / "gguf")
    assert off(model(ids).logits, original.model(ids).logits) == 0
    tokenizer = made.tokenizer(tmp_path / "gguf")
    for text in [*TEXTS, "<|user|>Hello<|end|><|assistant|>"]:
        assert tokenizer(text)["input_ids"] == original.tokenizer(text)["input_ids"]
    assert tokenizer.chat_template == original.tokenizer.chat_template
    assert (tokenizer.eos_token, tokenizer.pad_token) == (
        original.tokenizer.eos_token,
        original.tokenizer.pad_token,
    )
    said = off(written("gguf-q8", original, tmp_path / "q8")[1](ids).logits, original.model(ids).logits)
    assert TOLERANCE < said < 0.1


@pytest.mark.parametrize("family", ["qwen3", "gpt2"])
def test_onnx_takes_any_batch_and_length_and_what_was_read_before(family: str, tmp_path: Path) -> None:
    original = writer(family, tmp_path / "model")
    _, model = written("onnx", original, tmp_path / "onnx")
    for batch, tokens, before in SHAPES:
        ids = torch.randint(0, 448, (batch, before + tokens))
        mask = torch.ones_like(ids)
        if batch > 1:
            mask[0, :1] = 0  # padded on the left
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with torch.no_grad():
            wanted = original.model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[
                :, before:
            ]
        cache = transformers.DynamicCache()
        if before:
            model(ids[:, :before], mask[:, :before], positions[:, :before], cache=cache)
        said = model(ids[:, before:], mask, positions[:, before:], cache=cache).logits
        seen = mask[:, before:] == 1
        assert off(said[seen], wanted[seen]) < TOLERANCE / 10
        assert cache.get_seq_length() == before + tokens
    given = original.tokenizer(
        ["The film", "It's what"], return_tensors="pt", padding=True, padding_side="left"
    )
    asked = {"input_ids": given["input_ids"], "attention_mask": given["attention_mask"], "max_new_tokens": 8}
    for beams in (1, 3):
        options = {
            **asked,
            "num_beams": beams,
            "do_sample": False,
            "pad_token_id": original.tokenizer.pad_token_id,
        }
        assert model.generate(**options).tolist() == original.model.generate(**options).tolist()


@_TORCHAO
def test_a_model_without_linear_layers_is_not_quantised(tmp_path: Path) -> None:
    original = writer("gpt2", tmp_path / "model")
    for name in ("int8", "nf4"):
        with pytest.raises(GroundupError, match="no linear layers within"):
            FORMATS[name].refuse(original)


@pytest.mark.parametrize("name", [pytest.param("int8", marks=_TORCHAO), "nf4"])
def test_fewer_bits_come_back_from_files_as_they_were(name: str, tmp_path: Path) -> None:
    original = writer("qwen3", tmp_path / "model")
    original.model.config.decision_thresholds = [0.25, 0.5]
    original.model.config.save_pretrained(tmp_path / "model")
    _, model = written(name, original, tmp_path / name)
    ids = torch.randint(0, 448, (2, 20))
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / name)
    assert off(again(ids).logits, model(ids).logits) == 0
    assert 1e-5 < off(model(ids).logits, original.model(ids).logits) < 1
    assert load_config(str(tmp_path / name)).decision_thresholds == [0.25, 0.5]
    assert load_tokenizer(str(tmp_path / name))(TEXTS[0]) == original.tokenizer(TEXTS[0])


def test_a_bidirectional_classifier_with_its_two_kinds_of_tokens(tmp_path: Path) -> None:
    start = publish("bert", tmp_path / "bert")
    model = load_model(start, "AutoModelForSequenceClassification", num_labels=3).eval()
    model.config.decision_thresholds = [0.1, 0.2, 0.3]
    model.save_pretrained(start)
    head = "AutoModelForSequenceClassification"
    original = Original("finetune/sentiment", model, load_tokenizer(start), head, Path(start), None)
    _, graph = written("onnx", original, tmp_path / "onnx")
    pairs = original.tokenizer(
        ["the film 1 was fine", "the plot"], ["the score 2", "was dull"], return_tensors="pt", padding=True
    )
    assert pairs["token_type_ids"].any() and not pairs["attention_mask"].all()
    with torch.no_grad():
        assert off(graph(**pairs).logits, model(**pairs).logits) < TOLERANCE / 10
    assert graph.config.decision_thresholds == [0.1, 0.2, 0.3]


@_TORCHAO
def test_an_encoder_decoder_goes_to_fewer_bits_alone(tmp_path: Path) -> None:
    start = publish("t5", tmp_path / "t5")
    model = load_model(start, "AutoModelForSeq2SeqLM").eval()
    original = Original(
        "finetune/translation", model, load_tokenizer(start), "AutoModelForSeq2SeqLM", Path(start), None
    )
    for name in ("onnx", "gguf"):
        with pytest.raises(GroundupError, match="is an AutoModelForSeq2SeqLM"):
            FORMATS[name].refuse(original)
    ids = torch.randint(8, 40, (2, 6))
    _, smaller = written("int8", original, tmp_path / "int8")
    with torch.no_grad():
        said = off(smaller(input_ids=ids, labels=ids).logits, model(input_ids=ids, labels=ids).logits)
    assert 0 < said < 0.1


def _rule(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> str:
    from pipeline.export.formats.gguf_tokenizer import _made, entries

    tokens, kinds = entries(tokenizer, len(tokenizer))
    merges = [" ".join(pair) for pair in _made(tokenizer)["model"]["merges"]]
    described = {"tokenizer_type": "gpt2", "tokens": tokens, "token_type": kinds, "merges": merges}
    return rule_of(tokenizer, described, texts)


def _byte_level(texts: Sequence[str], use_regex: bool) -> PreTrainedTokenizerFast:
    backend = backends.Tokenizer(backends.models.BPE())
    backend.pre_tokenizer = backends.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
    backend.decoder = backends.decoders.ByteLevel()
    backend.train_from_iterator(texts, backends.trainers.BpeTrainer(vocab_size=400, show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def test_the_rule_of_cutting_words_is_found_by_held_out_text() -> None:
    years = [f"In {year} there were {year * 7} films." for year in range(1900, 2000)] * 5
    assert _rule(train_tokenizer(years, Tokenizer(digits="groups"), 400, 64), years) == "llama-bpe"
    assert _rule(_byte_level(years, use_regex=True), years) == "gpt-2"
    with pytest.raises(GroundupError, match="rules cuts text as this tokenizer does"):
        _rule(_byte_level(years, use_regex=False), years)


def test_gguf_refuses_what_it_cannot_say(tmp_path: Path) -> None:
    original = writer("llama", tmp_path / "model")
    words = Original("pretrain", original.model, tokenizer_of(algorithm="unigram"), WRITER, tmp_path, None)
    with pytest.raises(GroundupError, match="its tokenizer is Unigram"):
        FORMATS["gguf"].refuse(words)
    original.model.config.rope_parameters = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    with pytest.raises(GroundupError, match="its rotations are scaled"):
        FORMATS["gguf"].refuse(original)
    original.model.config.model_type = "olmo2"
    with pytest.raises(GroundupError, match="this is a olmo2 model"):
        FORMATS["gguf"].refuse(original)
