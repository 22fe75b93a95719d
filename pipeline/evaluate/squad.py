"""The numbers of SQuAD's scoring scripts, v1.1 and v2.0 (Rajpurkar et al., 2016, 2018), to the last digit.

Divisions and sums are in the scripts' order, so that rounding is theirs too. As a command it takes what theirs take:
``python -m pipeline.evaluate.squad dev-v2.0.json predictions.json --na-prob-file na_probs.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import GroundupError
from pipeline.evaluate.scripts import words

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")

LONGEST_ANSWER = 64
"""Of a span that a model marks, in tokens."""

Answers = Sequence[str]
"""Reference answers of one question; none where it has no answer."""


def squad_normal(answer: str) -> str:
    """Lower case without ASCII punctuation, English articles and needless white space."""
    return " ".join(_ARTICLE.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def exact(prediction: str, reference: str) -> float:
    """1 where both are the same but for what ``squad_normal`` takes away."""
    return float(squad_normal(prediction) == squad_normal(reference))


def token_f1(
    prediction: str, reference: str, cut: Callable[[str], list[str]] = str.split, both_empty: float = 1.0
) -> float:
    """F1 of the tokens that an answer shares with a reference, 0 where one of them has none.

    Args:
        prediction: an answer.
        reference: another.
        cut: tokens of a text that ``squad_normal`` has passed; words between white space in SQuAD's scripts.
        both_empty: what two answers without tokens give; 0 in SQuAD's script for v1.1.
    """
    said, wanted = cut(squad_normal(prediction)), cut(squad_normal(reference))
    if not said and not wanted:
        return both_empty
    shared = sum((Counter(said) & Counter(wanted)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(wanted)
    return (2 * precision * recall) / (precision + recall)


def character_f1(prediction: str, reference: str) -> float:
    """The same where a script puts no spaces between words: each of its characters is a token.

    White space would leave whole answers as single tokens, and F1 no more than exact match; CMRC 2018 (Cui et al.,
    2019) and MLQA (Lewis et al., 2020) cut Chinese likewise. Punctuation of any script is no token.
    """
    return token_f1(prediction, reference, words)


def references(answers: Answers) -> Answers:
    """What a prediction is held against in v2.0: the answers with something to compare, else the empty one."""
    return [answer for answer in answers if squad_normal(answer)] or [""]


def best(score: Callable[[str, str], float], prediction: str, answers: Answers) -> float:
    """The best score over the references of v2.0."""
    return max(score(prediction, answer) for answer in references(answers))


def squad_v1(predictions: Sequence[str | None], answers: Sequence[Answers]) -> dict[str, float]:
    """What the script for v1.1 says: ``exact_match`` and ``f1``, from 0 to 100.

    Args:
        predictions: of each question; None where there is none, which scores 0.
        answers: of each question, at least one.
    """
    same = shared = 0.0
    for prediction, wanted in zip(predictions, answers, strict=True):
        if prediction is not None:
            same += max(exact(prediction, answer) for answer in wanted)
            shared += max(token_f1(prediction, answer, both_empty=0.0) for answer in wanted)
    return {"exact_match": 100.0 * same / len(answers), "f1": 100.0 * shared / len(answers)}


def squad_v2(
    predictions: Sequence[str],
    answers: Sequence[Answers],
    no_answer: Sequence[float] | None = None,
    threshold: float = 1.0,
) -> dict[str, float]:
    """What the script for v2.0 says, under its names, from 0 to 100.

    Args:
        predictions: of each question; the empty one says that there is no answer.
        answers: of each question.
        no_answer: the probability of each that it has none; the best thresholds on it are told only with it.
        threshold: a question with a greater one counts as said to have no answer.
    """
    exacts = [best(exact, p, a) for p, a in zip(predictions, answers, strict=True)]
    f1s = [best(token_f1, p, a) for p, a in zip(predictions, answers, strict=True)]
    has = [bool(wanted) for wanted in answers]
    odds = no_answer if no_answer is not None else [0.0] * len(has)

    def kept(scores: Sequence[float]) -> list[float]:
        rows = zip(scores, odds, has, strict=True)
        return [float(not there) if odd > threshold else score for score, odd, there in rows]

    found: dict[str, float] = {}
    for prefix, which in (("", None), ("HasAns_", True), ("NoAns_", False)):
        numbers = [i for i, there in enumerate(has) if which in (None, there)]
        if numbers:
            for name, scores in (("exact", kept(exacts)), ("f1", kept(f1s))):
                found[prefix + name] = 100.0 * sum(scores[i] for i in numbers) / len(numbers)
            found[f"{prefix}total"] = len(numbers)
    if no_answer is not None:
        for name, scores in (("exact", exacts), ("f1", f1s)):
            value, at = _best_threshold(scores, [bool(p) for p in predictions], no_answer, has)
            found[f"best_{name}"], found[f"best_{name}_thresh"] = value, at
    return found


def _best_threshold(
    scores: Sequence[float], says: Sequence[bool], odds: Sequence[float], has: Sequence[bool]
) -> tuple[float, float]:
    """The best mean score by answering the likeliest questions only, and the probability up to which one answers."""
    total: float = has.count(False)
    greatest, at = total, 0.0
    for i in sorted(range(len(odds)), key=odds.__getitem__):
        total += scores[i] if has[i] else -float(says[i])
        if total > greatest:
            greatest, at = total, odds[i]
    return 100.0 * greatest / len(scores), at


def _questions(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for article in document["data"]:
        for paragraph in article["paragraphs"]:
            yield from paragraph["qas"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Score files as the scripts do: v1.1 where every question has an answer and no probabilities are given."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.evaluate.squad", description=main.__doc__)
    parser.add_argument("data", type=Path, help="questions in SQuAD's form")
    parser.add_argument("predictions", type=Path, help='{"id": "answer"}')
    parser.add_argument("--na-prob-file", type=Path, help='{"id": probability that there is no answer}')
    parser.add_argument(
        "--na-prob-thresh", type=float, default=1.0, help="answer only up to this probability"
    )
    parser.add_argument("--version", choices=("1.1", "2.0"), help="of the script")
    given = parser.parse_args(arguments)
    questions = {
        str(q["id"]): [a["text"] for a in q.get("answers", ())] for q in _questions(_json(given.data))
    }
    said = _json(given.predictions)
    odds = _json(given.na_prob_file) if given.na_prob_file else None
    version = given.version or ("1.1" if all(questions.values()) and odds is None else "2.0")
    if version == "1.1":
        print(json.dumps(squad_v1([said.get(name) for name in questions], list(questions.values()))))
        return
    for name in questions:
        if name not in said or (odds is not None and name not in odds):
            raise SystemExit(
                str(GroundupError(f"question {name}", "nothing is predicted for it", "predict all"))
            )
    numbers = squad_v2(
        [said[name] for name in questions],
        list(questions.values()),
        [odds[name] for name in questions] if odds is not None else None,
        given.na_prob_thresh,
    )
    print(json.dumps(numbers, indent=2))


def _json(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


if __name__ == "__main__":
    main()
