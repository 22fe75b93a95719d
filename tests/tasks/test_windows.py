"""Whatever the tokenizer and the script, the tokens that an answer is labelled with give the answer back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from pipeline.recipe import Tokenizer as Settings
from pipeline.tasks.windows import Window, around, cluster_borders, windows_of
from pipeline.tokenizer.train import train_tokenizer

FAMILY, FLAG, WAVE = "👨‍👩‍👧", "🇳🇴", "👋🏽"
PIECES = [
    *(
        "Oslo",
        " ",
        "  ",
        "\n",
        "fjord,",
        "the",
        "(1947)",
        "don't",
        "ﬁnd",
        "½",
        "ＡＢＣ",
        "ǅ",
        "İzmir",
        "ß",
        "…",
    ),
    *("北京", "大学。", "한국어", "ไทยน้ำ", "עִבְרִית", "العَرَبِيَّة", "हिन्दी", "ا\u0644\u0644\u0647"),
    *("é", "e\u0301", "a\u0308\u0301", "Å\u0323", "\u0301", "🎬", FAMILY, FLAG, WAVE, "❤\ufe0f", "x\u200dy"),
    *("\u200b", "\u00ad", "\ufeff", "\u00a0", "\u3000", "\r\n", "\x00", "<|endoftext|>", "[SEP]"),
]
TEXT = some.lists(some.sampled_from(PIECES), min_size=1, max_size=12).map("".join)
ANY_TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=12)
SAMPLE = [" ".join(PIECES), "Oslo lies on a fjord. 北京是首都。" * 3]


def _fast(tokenizer: Tokenizer, **special: str) -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _wordpiece(normalizer: Any) -> Any:
    """As BERT's: pairs are marked."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]
    tokenizer.train_from_iterator(
        SAMPLE, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return _fast(tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]")


def _sentencepiece(model: Any, trainer: Any, normalizer: Any) -> Any:
    """As SentencePiece's: blanks become part of the pieces."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer.train_from_iterator(SAMPLE, trainer)
    return _fast(tokenizer, eos_token="</s>", pad_token="<pad>")


def _trained(kind: str) -> Any:
    special = ["</s>", "<pad>", "<unk>"]
    if kind in ("bpe", "unigram", "wordpiece", "word"):
        return train_tokenizer(SAMPLE * 3, Settings(algorithm=kind), vocabulary=330, context=64)  # type: ignore[arg-type]
    if kind == "uncased bert":
        return _wordpiece(normalizers.BertNormalizer(lowercase=True, strip_accents=True))
    if kind == "cased bert":
        return _wordpiece(normalizers.BertNormalizer(lowercase=False))
    if kind == "sentencepiece unigram":
        unigram = trainers.UnigramTrainer(
            vocab_size=250, special_tokens=special, unk_token="<unk>", show_progress=False
        )
        return _sentencepiece(models.Unigram(), unigram, normalizers.NFKC())
    every = [f"<0x{n:02X}>" for n in range(256)]
    bytes_too = trainers.BpeTrainer(vocab_size=400, special_tokens=special + every, show_progress=False)
    model = models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    return _sentencepiece(
        model, bytes_too, normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    )


KINDS = [
    *("bpe", "unigram", "wordpiece", "word", "uncased bert", "cased bert"),
    *("sentencepiece unigram", "sentencepiece bpe"),
]
CONFIG = SimpleNamespace(type_vocab_size=2)


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return _trained(request.param)


def _clusters(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in regex.finditer(r"\X", text)]


def _seen(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """The characters that a reader sees in a span or cut by it, from the first that is not blank to the last."""
    touched = [(a, b) for a, b in _clusters(text) if a < span[1] and b > span[0] and text[a:b].strip()]
    return (touched[0][0], touched[-1][1]) if touched and span[0] < span[1] else (0, 0)


def _marked(window: Window, start: int, end: int) -> tuple[int, int] | None:
    """What the labels of a window stand for in the text."""
    first, last = window.labels(start, end)
    if first == window.nothing:
        return None
    return window.spans[window.places.index(first)][0], window.spans[window.places.index(last)][1]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TEXT | ANY_TEXT, answer=TEXT, after=TEXT | ANY_TEXT)
def test_labels_are_the_smallest_span_of_tokens_around_an_answer(
    tokenizer: Any, before: str, answer: str, after: str
) -> None:
    context = before + answer + after
    start, end = len(before), len(before) + len(answer)
    (window,) = windows_of("Where?", context, tokenizer, CONFIG, most=4096)
    offsets = tokenizer(
        context, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True
    )["offset_mapping"]
    tokens = [(a, b) for a, b in (_seen(context, span) for span in offsets) if a < b]
    over = [(a, b) for a, b in tokens if a < end and b > start]
    marked = _marked(window, start, end)
    assert marked == ((over[0][0], over[-1][1]) if over else None)
    if marked:
        assert set(marked) <= {0, *(b for _, b in _clusters(context))}, "no reader's character is cut"


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=some.lists(some.sampled_from(PIECES[:24] + PIECES[24:34]), min_size=3, max_size=9), data=some.data()
)
def test_an_answer_of_whole_words_comes_back_exactly(tokenizer: Any, words: list[str], data: Any) -> None:
    words = [word for word in map(str.strip, words) if word and word != "\u0301"] or ["Oslo"]
    first = data.draw(some.integers(0, len(words) - 1))
    last = data.draw(some.integers(first, len(words) - 1))
    answer = " ".join(words[first : last + 1])
    start = len(" ".join([*words[:first], ""]))
    context = " ".join(words)
    (window,) = windows_of("Where?", context, tokenizer, CONFIG, most=4096)
    marked = _marked(window, start, start + len(answer))
    assert marked is not None and context[slice(*marked)] == answer


@pytest.mark.parametrize("most", [24, 40])
def test_windows_share_the_labels_of_an_answer(tokenizer: Any, most: int) -> None:
    context = "Oslo fjord, the 北京 🎬 é " * 9 + "(1947) " + "Oslo 北京 " * 9
    start = context.index("1947")
    windows = windows_of("When was it?", context, tokenizer, CONFIG, most)
    assert len(windows) > 2 and all(len(window.ids) <= most for window in windows)
    found = {_marked(window, start, start + 4) for window in windows} - {None}
    assert len(found) == 1 and "1947" in context[slice(*found.pop())]  # type: ignore[misc]
    covered = {c for window in windows for a, b in window.spans for c in range(a, b)}
    assert {i for i, c in enumerate(context) if not c.isspace()} <= covered, "nothing of the context is lost"


def test_what_berts_tokenizers_take_away_comes_back() -> None:
    tokenizer = _trained("uncased bert")
    for answer in ("cafe\u0301", "ÉCOLE", "नि", f"{FAMILY}", "x\u200dy"):
        context = f"The {answer}, as said."
        (window,) = windows_of("What?", context, tokenizer, CONFIG, most=512)
        assert context[slice(*_marked(window, 4, 4 + len(answer)))] == answer  # type: ignore[misc]


def test_the_input_of_a_bert_is_that_of_the_field() -> None:
    tokenizer = _trained("uncased bert")
    (window,) = windows_of("Where is it?", "Oslo lies there.", tokenizer, CONFIG, most=64)
    field = tokenizer("Where is it?", "Oslo lies there.", return_token_type_ids=True)
    assert (window.ids, window.kinds) == (field["input_ids"], field["token_type_ids"])
    assert window.nothing == 0 and window.ids[0] == tokenizer.cls_token_id
    plain = windows_of("Where is it?", "Oslo lies there.", tokenizer, SimpleNamespace(), most=64)
    assert "token_type_ids" not in plain[0].features(), "a DistilBERT takes none"


def test_an_unknown_last_word_is_not_taken_for_the_end() -> None:
    tokenizer = _trained("word")
    (window,) = windows_of("Where?", "Oslo unheard-of", tokenizer, None, most=64)
    assert window.ids[-2:] == [tokenizer.unk_token_id, tokenizer.eos_token_id]
    assert window.nothing == len(window.ids) - 1 not in window.places


def test_clusters() -> None:
    text = f"a{FAMILY} e\u0301\r\n"
    borders = cluster_borders(text)
    inner = text.index("👩")
    assert text[slice(*around((inner, inner + 1), text, borders))] == FAMILY
    assert text[slice(*around((len(text) - 3, len(text)), text, borders))] == "e\u0301"
    assert around((1, 1 + len(FAMILY)), text, borders) == (1, 1 + len(FAMILY))
    assert cluster_borders("plain\r\n") == [] and around((0, 7), "  Oslo ", []) == (2, 6)
