"""A tokenizer from text, as a stock fast one."""

from __future__ import annotations

from collections.abc import Iterable

from transformers import PreTrainedTokenizerFast

from pipeline.model.special_tokens import CHAT_TEMPLATE, END_OF_TEXT, MASK, PAD, TURNS, sentinels
from pipeline.recipe import Tokenizer as Settings
from pipeline.tokenizer.algorithms import algorithm


def train_tokenizer(
    texts: Iterable[str], settings: Settings, vocabulary: int, context: int
) -> PreTrainedTokenizerFast:
    """Learn the entries and wrap them as a stock fast tokenizer.

    Args:
        texts: documents.
        settings: algorithm, digits and white space.
        vocabulary: entries at most, special tokens and the bytes included; little text gives fewer.
        context: ``model_max_length`` of the result, in tokens.
    """
    chosen = algorithm(settings, vocabulary)
    chosen.tokenizer.train_from_iterator(texts, chosen.trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=chosen.tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=PAD,
        unk_token=chosen.unknown,
        additional_special_tokens=[*TURNS, *sentinels(settings.sentinels)],
        **({"mask_token": MASK} if settings.mask else {}),
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
