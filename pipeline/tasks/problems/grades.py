"""A grade for each text: stars, points, how alike two texts are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError, shown
from pipeline.evaluate.statistics import Statistics, joined, means
from pipeline.tasks.base import Example, Prediction
from pipeline.tasks.problems.base import Problem, named, texts_of

if TYPE_CHECKING:
    from pipeline.evaluate.outcomes import Outcome

MOST_GRADES = 20
"""Different grades; with more, the scale is taken for a continuous one."""


class Grades(Problem):
    """Regression by the mean squared error; what is said lies within the grades of the training part."""

    main_metric = "rmse"
    lower_is_better = True

    def label(self, value: Any, place: str) -> float:
        """A number."""
        try:
            grade = float(value)
        except (TypeError, ValueError, OverflowError):
            grade = math.nan
        if not math.isfinite(grade):
            raise GroundupError(
                place,
                f"the grade '{shown(value)}' is no number",
                "give numbers as grades, or leave --finetune.problem at classes",
            )
        return grade

    def check(self, train: Sequence[Example], held_out: Sequence[Example]) -> None:
        """At least two different grades."""
        if len(grades_of(train)) < 2:
            raise GroundupError(
                self.settings.data,
                f"all {len(train)} training rows have the grade {train[0].fields['label']:g}",
                "give rows of at least two grades",
            )

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """``grades``: all of them where they are few, else the lowest and the highest."""
        there = grades_of(train)
        is_continuous = len(there) > MOST_GRADES
        return {
            **named(["grade"]),
            "problem_type": "regression",
            "grades": [there[0], there[-1]] if is_continuous else there,
            "continuous": is_continuous,
        }

    def target(self, label: Any, config: Any) -> Any:
        """The grade."""
        return float(label)

    def settle(self, model: Any, logits: Any, validation: Sequence[Example]) -> dict[str, Any]:
        """Nothing: there are no probabilities."""
        return {}

    def predictions(self, logits: Any, config: Any, examples: Sequence[Example]) -> list[Prediction]:
        """The number within the scale, and the nearest grade where the grades are few."""
        grades = [] if config.continuous else config.grades
        return [
            _said(example, min(max(value, config.grades[0]), config.grades[-1]), grades)
            for example, value in zip(examples, logits[:, 0].tolist(), strict=True)
        ]

    def outcomes(self, config: Any) -> dict[str, Outcome]:
        """The number."""
        from pipeline.evaluate.outcomes import OfGrades

        return {"grade": OfGrades("grade")}

    def chosen(self, prediction: Prediction) -> str:
        """The number."""
        return "grade"

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """Mean absolute and root mean squared error, correlations; accuracy of the nearest grade where they are few."""
        from pipeline.evaluate.regression import correlations, errors

        said, wanted = [p["prediction"] for p in predictions], [e.fields["label"] for e in examples]
        parts = [errors(said, wanted), correlations(said, wanted)]
        if all("correct" in p for p in predictions):
            parts.append(means(accuracy=[float(p["correct"]) for p in predictions]))
        return joined(*parts)

    def details(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
        """Where the grades are few: precision, recall and F1 of each, and the confusion matrix."""
        from pipeline.evaluate.metrics import per_class

        if not all("grade" in p for p in predictions):
            return {}
        said, wanted = [p["grade"] for p in predictions], [e.fields["label"] for e in examples]
        names = sorted({*said, *wanted})
        return per_class(
            [names.index(grade) for grade in said],
            [names.index(grade) for grade in wanted],
            [f"{grade:g}" for grade in names],
        )

    def baselines(self, train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, list[Prediction]]:
        """The mean grade, and TF-IDF with ridge regression."""
        from sklearn.linear_model import Ridge

        from pipeline.evaluate.tfidf import TfIdf

        there = grades_of(train)
        grades = there if len(there) <= MOST_GRADES else []
        features = TfIdf(texts_of(train))
        line = Ridge(alpha=1.0).fit(features.of(texts_of(train)), [e.fields["label"] for e in train])
        found = line.predict(features.of(texts_of(held_out))).clip(there[0], there[-1]).tolist()
        mean = sum(e.fields["label"] for e in train) / len(train)
        return {
            "mean_grade": [_said(e, mean, grades) for e in held_out],
            "tfidf_ridge": [_said(e, value, grades) for e, value in zip(held_out, found, strict=True)],
        }


def grades_of(examples: Sequence[Example]) -> list[float]:
    """The different ones, ascending."""
    return sorted({e.fields["label"] for e in examples})


def _said(example: Example, value: float, grades: Sequence[float]) -> Prediction:
    said: Prediction = {"prediction": round(value, 6)}
    if grades:
        nearest = min(grades, key=lambda grade: abs(grade - value))
        said |= {"grade": nearest, "correct": nearest == example.fields["label"]}
    return said
