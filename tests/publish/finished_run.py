"""A run of the tiny recipe whose stages are finished, with real small models and made-up metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, Qwen3Config

from pipeline.artifacts import Artifact, write_json, write_text
from pipeline.model.turns import ready_for_turns
from pipeline.recipe import Recipe, Tokenizer
from pipeline.stages import Run, _finish, stage_of
from pipeline.tokenizer.train import train_tokenizer

LABELS = {0: "negative", 1: "positive"}
PRETRAIN_METRICS = {
    "model": {
        "bits_per_byte": 1.75,
        "loss": 3.0625,
        "tokens_per_second": 4000.5,
        "seconds": 9.5,
        "parameters": 123_456,
        "tokens": 1536,
        "steps": 6,
    },
    "unigram": {"bits_per_byte": 4.5},
    "xz": {"bits_per_byte": 1.5},
}
SENTIMENT_METRICS = {
    "model": {
        "accuracy": 0.8125,
        "macro_f1": 0.80078125,
        "examples": 16,
        "parameters": 123_456,
        "seconds": 2.5,
    },
    "from_scratch": {"accuracy": 0.75, "macro_f1": 0.7421875, "examples": 16, "seconds": 2.5},
    "majority": {"accuracy": 0.5, "macro_f1": 0.33, "examples": 16},
    "tfidf": {"accuracy": 0.875, "macro_f1": 0.87, "examples": 16},
}
ALIGNED_METRICS = {
    "model": {"accuracy": 0.5, "reward": 0.625, "examples": 16, "seconds": 2.5},
    "before": {"accuracy": 0.25, "reward": 0.25, "examples": 16},
}

Work = Callable[[Artifact], Mapping[str, Mapping[str, Any]]]


def write_run(recipe: Recipe, runs: Path) -> Run:
    """Bring corpus, tokenizer, pretrain and finetune/sentiment to their end, without any training."""
    run = Run(recipe, runs)
    works: dict[str, Work] = {
        "corpus": lambda out: {"documents": {"kept": 3}},
        "tokenizer": lambda out: {"model": {"vocabulary": 400}},
        "pretrain": lambda out: save(out, "AutoModelForCausalLM", PRETRAIN_METRICS),
        "finetune/sentiment": lambda out: save(
            out, "AutoModelForSequenceClassification", SENTIMENT_METRICS, id2label=LABELS
        ),
    }
    for name, work in works.items():
        _finish(run, dataclasses.replace(run.stages()[name], work=work))
    return run


def finish_aligned(run: Run, method: str, metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Bring finetune/chat and what is aligned from it to their end, in the same way."""
    for name, rows in (("finetune/chat", PRETRAIN_METRICS), (stage_of(method), metrics)):
        _finish(run, dataclasses.replace(run.stages()[name], work=_saved(rows)))


def _saved(rows: Mapping[str, Mapping[str, Any]]) -> Work:
    return lambda out: save(out, "AutoModelForCausalLM", rows, converses=True)


def save(
    out: Artifact,
    head: str,
    metrics: Mapping[str, Mapping[str, Any]],
    converses: bool = False,
    **config: Any,
) -> Any:
    """A model from random weights with its tokenizer, and the files beside it that stay at home."""
    texts = ["The film was good. The film was bad. A story of two towns."] * 9
    tokenizer = train_tokenizer(texts, Tokenizer(), 300, 64)
    if converses:
        ready_for_turns(tokenizer)
    torch.manual_seed(0)
    settings = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=1,
        num_key_value_heads=1, head_dim=64, intermediate_size=64, max_position_embeddings=64,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, **config,
    )  # fmt: skip
    loader = {"AutoModelForCausalLM": AutoModelForCausalLM}.get(head, AutoModelForSequenceClassification)
    with out.writing() as beside:
        loader.from_config(settings).save_pretrained(beside)
        tokenizer.save_pretrained(beside)
        write_text(beside / "predictions.jsonl", "{}\n")
        write_text(beside / "log.jsonl", "{}\n")
        write_json(beside / "details.json", {"model": {"signature": "made|up", "report": "two\nlines"}})
    return metrics
