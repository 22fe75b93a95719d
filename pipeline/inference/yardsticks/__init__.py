"""The package's own tasks for lm-eval: held-out rows of installed packages, beside a YAML file for each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.artifacts import write_text
from pipeline.corpus.cleaning import clean
from pipeline.errors import GroundupError
from pipeline.evaluate.split import hash_of, is_held_out
from pipeline.processes import say
from pipeline.sources.factbook import read_factbook
from pipeline.sources.factbook_questions import QUESTIONS, answer_in
from pipeline.sources.movie_reviews import read_movie_reviews, read_movie_sentences

_CHOICES = 4
_REVIEWS = 200
_LONGEST = 48
"""Characters of a choice, so that models with a short context can say it."""

Rows = Callable[[float, int], Iterator[dict[str, Any]]]
"""Of the held-out share and the seed of a run: what no model of it was trained on."""


def factbook_cloze(share: float, seed: int) -> Iterator[dict[str, Any]]:
    """A field of a held-out country, as the factbook's prose has it: its value among those of three others.

    The others are held out too, so that none of the choices is one that the model has learnt to say.
    """
    answers: dict[tuple[str, str], dict[str, str]] = {}
    for row in read_factbook():
        section, field = row.values["section"], row.values["field"]
        known = f"{section} > {field}".replace("Languages > Languages", "Languages") in QUESTIONS
        answer = answer_in(row.values["text"]) if known and is_held_out(row.group, share, seed) else ""
        if 0 < len(answer) <= _LONGEST:
            answers.setdefault((section, field), {})[row.group] = answer
    for (section, field), by_country in answers.items():
        for country, answer in by_country.items():
            mark = f"{country}\n{section}\n{field}"
            others = sorted({*by_country.values()} - {answer}, key=lambda text: hash_of(f"{mark}\n{text}"))
            if len(others) >= _CHOICES - 1:
                choices, place = others[: _CHOICES - 1], hash_of(mark) % _CHOICES
                choices.insert(place, answer)
                yield {"query": f"{country}: {section}\n{field}:", "choices": choices, "answer": place}


def film_reviews(share: float, seed: int) -> Iterator[dict[str, Any]]:
    """Held-out reviews, as the corpus cleans them; a few, since every word of them is read."""
    found = (row.values for row in read_movie_reviews() if row.values["source"] == "imdb")
    texts = (values["text"] for values in found if is_held_out(values["text"], share, seed))
    for text in itertools.islice(texts, _REVIEWS):
        yield {"text": clean(text)}


def film_sentences(share: float, seed: int) -> Iterator[dict[str, Any]]:
    """Held-out sentences about films, and whether they praise."""
    for row in read_movie_sentences():
        text = row.values["text"]
        if is_held_out(row.group or text, share, seed):
            yield {"text": text.strip(), "answer": int(row.values["label"] == "positive")}


YARDSTICKS: dict[str, Rows] = {
    "factbook_cloze": factbook_cloze,
    "film_sentences": film_sentences,
    "film_reviews": film_reviews,
}
"""Rows of each task, which has a YAML file of the same name here."""


def write_yardsticks(names: list[str], directory: Path, share: float, seed: int) -> list[str]:
    """Write the rows of tasks, and for each a YAML file that reads them and includes the package's.

    Args:
        names: of YARDSTICKS; none means all whose data are here.
        directory: where lm-eval finds them, by ``--include_path`` of its own too.
        share, seed: by which the run's data were held out.

    Returns:
        Names of those that were written.

    Raises:
        GroundupError: when a named one's data are not installed, or nothing of them is held out.
    """
    written = []
    for name in names or YARDSTICKS:
        try:
            _write(name, directory, share, seed)
            written.append(name)
        except GroundupError as error:
            if names:
                raise
            say(f"{name} is left out: {error}")
    return written


def _write(name: str, directory: Path, share: float, seed: int) -> None:
    rows = list(YARDSTICKS[name](share, seed))
    if not rows:
        raise GroundupError(name, f"of its data too little is held out ({share:g})", "raise --held-out")
    file = (directory / f"{name}.jsonl").absolute()
    base = Path(__file__).with_name(f"{name}.yaml")
    _renew(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    config = {"include": str(base), "dataset_kwargs": {"data_files": {"test": str(file)}}}
    _renew(file.with_suffix(".yaml"), json.dumps(config, indent=2, ensure_ascii=False) + "\n")  # JSON is YAML


def _renew(file: Path, text: str) -> None:
    """What is there already stays, and so does what ``datasets`` has made of it."""
    if not file.is_file() or file.read_text("utf-8") != text:
        write_text(file, text)
