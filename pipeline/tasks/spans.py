"""Sentences of a context as spans of characters."""

from __future__ import annotations

import re

from pipeline.evaluate.scripts import words

_SENTENCE = re.compile(r"[^\n]*?(?:[.!?](?=\s)|[。！？]|$)", re.MULTILINE)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every sentence, without white space around it; a line's end ends a sentence."""
    spans = []
    for match in _SENTENCE.finditer(text):
        sentence = match.group()
        start = match.start() + len(sentence) - len(sentence.lstrip())
        if sentence.strip():
            spans.append((start, start + len(sentence.strip())))
    return spans


def first_sentence_span(text: str) -> tuple[int, int]:
    """The first sentence of a text."""
    return sentence_spans(text)[0]


def likest_sentence_span(text: str, question: str) -> tuple[int, int]:
    """The sentence that shares most words with a question, the first of several."""
    asked = set(words(question))
    return max(sentence_spans(text), key=lambda span: len(asked & set(words(text[slice(*span)]))))
