"""A byte-level BPE tokenizer in GGUF, and by which of llama.cpp's rules it cuts text into words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import GroundupError
from pipeline.processes import say

RULES = ("llama-bpe", "gpt-2", "qwen2", "qwen35", "gpt-4o", "tekken")
"""Names of rules that differ, and that transformers knows too; the first of those that agree best is taken."""
_TRIED = 500
"""Texts."""
LEAST_ALIKE = 0.99
"""Share of texts that a rule has to cut into the tokens of the original."""
_MODEL = "gpt2"
"""llama.cpp's name of byte-level BPE."""


def add_tokenizer(writer: Any, tokenizer: Any, rows: int, texts: Sequence[str]) -> None:
    """Add entries, merges, special tokens and the chat template to a GGUF file.

    Args:
        writer: a ``gguf.GGUFWriter``.
        tokenizer: a fast one.
        rows: of the embeddings; those that no entry has are said to be unused.
        texts: to find the rule by.

    Raises:
        GroundupError: when no rule cuts them as the tokenizer does.
    """
    tokens, kinds = entries(tokenizer, rows)
    merges = [" ".join(pair) for pair in _made(tokenizer)["model"]["merges"]]
    described = {"tokenizer_type": _MODEL, "tokens": tokens, "token_type": kinds, "merges": merges}
    writer.add_tokenizer_model(_MODEL)
    writer.add_tokenizer_pre(rule_of(tokenizer, described, texts))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    for name in ("bos", "eos", "unk", "pad"):
        number = getattr(tokenizer, f"{name}_token_id")
        if number is not None and number < rows:
            getattr(writer, f"add_{name}_token_id")(number)
    begins = tokenizer("")["input_ids"] == [tokenizer.bos_token_id]
    writer.add_add_bos_token(begins)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def entries(tokenizer: Any, rows: int) -> tuple[list[str], list[int]]:
    """The text of every row of the embeddings and its ``gguf.TokenType``."""
    from gguf import TokenType

    added = tokenizer.added_tokens_decoder
    tokens, kinds = [], []
    for number in range(rows):
        token = tokenizer.convert_ids_to_tokens(number) if number < len(tokenizer) else None
        own = TokenType.CONTROL if number in added and added[number].special else TokenType.USER_DEFINED
        tokens.append(f"[PAD{number}]" if token is None else token)
        kinds.append(TokenType.UNUSED if token is None else own if number in added else TokenType.NORMAL)
    return tokens, [int(kind) for kind in kinds]


def rule_of(tokenizer: Any, described: Mapping[str, Any], texts: Sequence[str]) -> str:
    """The rule that cuts most of the texts as the tokenizer does.

    Raises:
        GroundupError: when that is not enough of them.
    """
    tried = list(texts[:_TRIED])
    wanted = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in tried]
    alike = {rule: _alike(described, rule, tried, wanted) for rule in RULES}
    best = max(RULES, key=lambda rule: alike[rule])
    if alike[best] < LEAST_ALIKE:
        raise GroundupError(
            "gguf",
            f"none of llama.cpp's rules cuts text as this tokenizer does: {best} gives {alike[best]:.1%} of "
            f"{len(tried)} held-out texts the same tokens",
            "use another format, such as onnx, or train the tokenizer with --tokenizer.digits groups or single",
        )
    if alike[best] < 1:
        say(f"gguf: the rule {best} gives {alike[best]:.1%} of {len(tried)} held-out texts the same tokens")
    return best


def _alike(
    described: Mapping[str, Any], rule: str, texts: Sequence[str], wanted: Sequence[Sequence[int]]
) -> float:
    from transformers.integrations.gguf import convert_gguf_tokenizer

    made, _ = convert_gguf_tokenizer("llama", {**described, "pre_tokenizer_type": rule})
    found = [made.encode(text, add_special_tokens=False).ids for text in texts]
    return sum(a == b for a, b in zip(found, wanted, strict=True)) / max(1, len(texts))


def _made(tokenizer: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return made
