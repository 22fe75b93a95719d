"""Predictions in the forms of SQuAD's scripts, and their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.evaluate.statistics import Statistics
from pipeline.tasks.base import Example, Prediction


def answered_apart(examples: Sequence[Example], statistics: Statistics) -> dict[str, Any]:
    """The metrics of the questions with an answer and of those without, where there are any."""
    has = np.array([bool(e.fields["answers"]) for e in examples], dtype=bool)
    return {
        name: {**statistics.of(which).score(), "examples": int(which.sum())}
        for name, which in (("with_answer", has), ("without_answer", ~has))
        if which.any()
    }


def script_numbers(examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
    """What SQuAD's script says: that for v1.1 where every question has an answer, else that for v2.0.

    The best thresholds on the probability of "no answer" are of the likeliest answers, said or not.
    """
    from pipeline.evaluate.squad import squad_v1, squad_v2

    said, wanted = [p["prediction"] for p in predictions], [e.fields["answers"] for e in examples]
    if all(wanted):
        return {"version": "1.1", **squad_v1(said, wanted)}
    numbers = squad_v2(said, wanted)
    if all("no_answer_probability" in p for p in predictions):
        odds = [p["no_answer_probability"] for p in predictions]
        thresholds = squad_v2([_likeliest(p) for p in predictions], wanted, odds)
        numbers |= {name: value for name, value in thresholds.items() if name.startswith("best_")}
    return {"version": "2.0", **numbers}


def _likeliest(prediction: Prediction) -> str:
    """The likeliest answer but none."""
    return next((str(entry["text"]) for entry in prediction["n_best"] if entry["text"]), "")


def script_files(examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Files that other people's scripts read, as run_squad writes them; nothing unless each question has an id."""
    names = [e.fields.get("id") for e in examples]
    if None in names or len(set(names)) < len(names):
        return {}
    files: dict[str, Any] = {
        "predictions.json": {n: p["prediction"] for n, p in zip(names, predictions, strict=True)}
    }
    if all("n_best" in p for p in predictions):
        pairs = list(zip(names, predictions, strict=True))
        files["nbest_predictions.json"] = {n: p["n_best"] for n, p in pairs}
        files["na_probs.json"] = {n: p["no_answer_probability"] for n, p in pairs}
    return files
