"""Languages of a multilingual tokenizer (NLLB, M2M-100, mBART): which it reads, which it writes."""

from __future__ import annotations

from typing import Any

from pipeline.errors import GroundupError


def is_multilingual(tokenizer: Any) -> bool:
    """Whether a tokenizer marks texts by their languages."""
    return hasattr(tokenizer, "src_lang") and hasattr(tokenizer, "tgt_lang")


def language_id(tokenizer: Any, code: str, flag: str) -> int:
    """The token of a language, which a decoder begins with.

    Raises:
        GroundupError: where the tokenizer knows no such language.
    """
    of_code = getattr(tokenizer, "get_lang_id", tokenizer.convert_tokens_to_ids)
    try:
        found = of_code(code) if code else None
    except KeyError:
        found = None
    if found is None or found == tokenizer.unk_token_id:
        raise GroundupError(
            f"--finetune.{flag}",
            f"the model's tokenizer knows no language '{code}'",
            "name it as the tokenizer does, such as ron_Latn for NLLB, ro for M2M-100, ro_RO for mBART",
        )
    return found


def speak(tokenizer: Any, source: str, target: str) -> int:
    """Set what a multilingual tokenizer reads and writes; the token that a translation begins with.

    Raises:
        GroundupError: where it knows one of the languages not.
    """
    language_id(tokenizer, source, "source-language")
    begins = language_id(tokenizer, target, "target-language")
    if (tokenizer.src_lang, tokenizer.tgt_lang) != (source, target):
        tokenizer.src_lang, tokenizer.tgt_lang = source, target
    return begins
