"""Small models with random weights and questions about made-up places, for tests of both ways to answer."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from pipeline.recipe import Tokenizer as Settings
from pipeline.tokenizer.train import train_tokenizer

PLACES = ["Oslo", "Rome", "北京", "Lima", "Accra", "Café", "Kyiv", "Nuuk", "🎬 Town", "Malé"]
THINGS = ["fjord", "river", "tower", "bridge", "market", "harbour"]


def questions(count: int) -> list[dict[str, Any]]:
    """SQuAD's rows, every third without an answer; contexts of 8 to 120 words."""
    chance, rows = random.Random(0), []
    for number in range(count):
        place, thing = PLACES[number % len(PLACES)], THINGS[number // 3 % len(THINGS)]
        rest = " ".join(
            chance.choice(["the", "old", "well", "of", "stone"]) for _ in range(chance.choice([1, 90]))
        )
        context = f"Note {number}: {rest}. The {thing} is in {place}. It is seen."
        asked = "Who built it?" if number % 3 == 2 else f"Where is the {thing}?"
        known = [] if number % 3 == 2 else [{"text": place, "answer_start": context.index(f"in {place}") + 3}]
        rows.append({"id": f"q{number}", "context": context, "question": asked, "answers": known})
    return rows


def write_questions(file: Path, count: int) -> str:
    """The same as a file."""
    file.write_text(json.dumps({"data": questions(count)}), "utf-8")
    return str(file)


def _texts() -> list[str]:
    return [f"{row['question']} {row['context']}" for row in questions(60)]


def write_llama(directory: Path) -> str:
    """A causal model."""
    tokenizer = train_tokenizer(_texts(), Settings(), vocabulary=400, context=128)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    return _saved(LlamaForCausalLM, config, tokenizer, directory)


def write_bert(directory: Path) -> str:
    """A masked one, which tells question and context apart."""
    learnt = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learnt.normalizer = normalizers.BertNormalizer(lowercase=True)
    learnt.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    learnt.train_from_iterator(
        _texts(), trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    )
    learnt.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=learnt, **names)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        pad_token_id=0,
    )
    return _saved(BertModel, config, tokenizer, directory)


def _saved(kind: type[PreTrainedModel], config: Any, tokenizer: Any, directory: Path) -> str:
    torch.manual_seed(0)
    kind(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)
