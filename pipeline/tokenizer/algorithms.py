"""The algorithms: how text is cut before learning, what is learnt, and how tokens become text again.

Text of ``bpe`` and ``unigram`` is cut into words whose bytes are then spelt as printable characters (Radford et
al., 2019), so that 256 entries can write everything: nothing is unknown and decoding gives the text back exactly.
``wordpiece`` and ``word`` drop white space and have an unknown token; their decoding is readable, not exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from pipeline.evaluate.scripts import SPACELESS
from pipeline.model.special_tokens import SPECIAL, UNKNOWN, hiding
from pipeline.recipe import Tokenizer as Settings

_DIGITS = {"groups": r"\p{N}{1,3}", "single": r"\p{N}", "together": r"\p{N}+"}
_BLANKS = {"runs": (r"[\r\n]*", r"|\s*[\r\n]+|\s+(?!\S)|\s+"), "single": ("", r"|\s")}
_LEAST = 2
"""Times that a pair must come before it becomes an entry: what came once is no pattern."""
_UNIGRAM_PASSES = 2


@dataclass(frozen=True)
class Algorithm:
    """A tokenizer without entries, and what learns them."""

    tokenizer: Tokenizer
    trainer: Any
    unknown: str | None = None
    """The token for what cannot be written; None where everything can."""


def algorithm(settings: Settings, vocabulary: int) -> Algorithm:
    """The algorithm that the settings name.

    Args:
        settings: algorithm, digits and white space.
        vocabulary: entries to learn at most, special tokens included.
    """
    return _ALGORITHMS[settings.algorithm](settings, vocabulary)


def _bpe(settings: Settings, vocabulary: int) -> Algorithm:
    """Byte pairs, the commonest first (Sennrich et al., 2016)."""
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=_LEAST,
        special_tokens=[*SPECIAL, *hiding(settings)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    return Algorithm(_byte_level(models.BPE(), settings), trainer)


def _unigram(settings: Settings, vocabulary: int) -> Algorithm:
    """The likeliest cut under a model of single pieces (Kudo, 2018)."""
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary,
        special_tokens=[*SPECIAL, *hiding(settings)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        n_sub_iterations=_UNIGRAM_PASSES,
        show_progress=False,
    )
    return Algorithm(_byte_level(models.Unigram(), settings), trainer)


def _byte_level(model: Any, settings: Settings) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_words(settings)), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def _words(settings: Settings) -> str:
    """English contractions, words with the blank before them, numbers, punctuation, other white space."""
    line_ends, blanks = _BLANKS[settings.whitespace]
    return (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}[\p{L}\p{M}]*|"
        rf"{_DIGITS[settings.digits]}| ?[^\s\p{{L}}\p{{N}}]+{line_ends}{blanks}"
    )


def _wordpiece(settings: Settings, vocabulary: int) -> Algorithm:
    """Words and marks cut at the longest known beginning, the rest marked ``##`` (Wu et al., 2016; BERT)."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    parts = rf"[{SPACELESS}]|[\p{{L}}\p{{M}}]+|{_DIGITS[settings.digits]}|[^\s\p{{L}}\p{{M}}\p{{N}}]"
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(parts), behavior="removed", invert=True)
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=_LEAST,
        special_tokens=[*SPECIAL, UNKNOWN, *hiding(settings)],
        limit_alphabet=vocabulary // 4,  # each comes with and without its mark, and words need room too
        show_progress=False,
    )
    return Algorithm(tokenizer, trainer, UNKNOWN)


def _word(settings: Settings, vocabulary: int) -> Algorithm:
    """The commonest words between white space, numbers apart."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    apart = [pre_tokenizers.Split("<|", behavior="isolated")]  # no word may spell a special token
    if settings.sentinels:
        apart.append(pre_tokenizers.Split("<extra_id_", behavior="isolated"))
    if settings.digits != "together":
        apart.append(pre_tokenizers.Split(Regex(_DIGITS[settings.digits]), behavior="isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), *apart])
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary,
        min_frequency=_LEAST,
        special_tokens=[*SPECIAL, UNKNOWN, *hiding(settings)],
        show_progress=False,
    )
    return Algorithm(tokenizer, trainer, UNKNOWN)


_ALGORITHMS: dict[str, Callable[[Settings, int], Algorithm]] = {
    "bpe": _bpe,
    "unigram": _unigram,
    "wordpiece": _wordpiece,
    "word": _word,
}
