"""Tiny published models of every kind that classification starts from, and data that they can learn from."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from pipeline.artifacts import Artifact
from pipeline.recipe import Finetune, Watch
from pipeline.train.finetune import Metrics, finetune

GOOD, BAD = ["fine", "warm", "bright", "clever"], ["dull", "slow", "loud", "empty"]
THINGS = ["film", "story", "scene", "score", "ending", "plot"]
NUMBERS = [str(n) for n in range(400)]
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<pad>"]
WORDS = [*MARKS, "the", "was", *GOOD, *BAD, *THINGS, *NUMBERS]

_SMALL = {"vocab_size": len(WORDS), "pad_token_id": 0}
_CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": (
        "AutoModelForMaskedLM",
        {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64},
    ),
    "t5": (
        "AutoModelForSeq2SeqLM",
        {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0},
    ),
    "bart": (
        "AutoModelForSeq2SeqLM",
        {
            "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
            "max_position_embeddings": 64, "decoder_start_token_id": 6, "forced_eos_token_id": 6,
        },
    ),
    "gpt2": ("AutoModelForCausalLM", {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}),
}  # fmt: skip
_TEMPLATES = {
    "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    "t5": ("$A </s>", "$A </s> $B </s>"),
    "bart": ("<s> $A </s>", "<s> $A </s> </s> $B </s>"),
}
FAMILIES = list(_CONFIGS)


def publish(family: str, directory: Path) -> str:
    """Save a tiny model with random weights, and its tokenizer of whole words, as a published one."""
    ids = {word: number for number, word in enumerate(WORDS)}
    backend = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if family in _TEMPLATES:
        single, pair = _TEMPLATES[family]
        marks = [(mark, ids[mark]) for mark in MARKS]
        backend.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=marks)
    kinds = {"token_type_ids"} if family == "bert" else set()
    own = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        model_input_names=["input_ids", *kinds, "attention_mask"],
        **(own if family == "bert" else {"eos_token": "</s>", "bos_token": "<s>"}),
        **({"pad_token": "[PAD]"} if family in ("t5", "bart") else {}),
    )
    tokenizer.save_pretrained(directory)
    model_class, shape = _CONFIGS[family]
    ends = {} if family == "bert" else {"bos_token_id": ids["<s>"], "eos_token_id": ids["</s>"]}
    config = transformers.AutoConfig.for_model(family, **_SMALL, **shape, **ends)
    torch.manual_seed(0)
    getattr(transformers, model_class).from_config(config).save_pretrained(directory)
    return str(directory)


def sentence(words: list[str], number: int, chance: random.Random) -> str:
    """Five words of which one tells, and a number that makes it its own."""
    return f"the {chance.choice(THINGS)} {number % 400} was {chance.choice(words)}"


def write_rows(file: Path, rows: list[dict[str, Any]]) -> str:
    """Rows as JSON Lines."""
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return str(file)


def train(start: str, data: str, out: Path, **settings: Any) -> tuple[Metrics, list[dict[str, Any]]]:
    """Fine-tune for classification: the metrics, and the lines of predictions.jsonl."""
    quick: dict[str, Any] = {
        "steps": 60, "global_batch": 16, "micro_batch": 16, "max_tokens": 24, "learning_rate": 5e-3,
        "compile": "no", "from_scratch": False, **settings,
    }  # fmt: skip
    watch = Watch(energy=False, peak_teraflops=1.0)
    metrics = finetune("sentiment", Finetune(data=data, **quick), start, 0.2, 0, Artifact(out), watch)
    lines = (out / "predictions.jsonl").read_text("utf-8").splitlines()
    return metrics, [json.loads(line) for line in lines]
