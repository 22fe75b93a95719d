"""A grade for each text, of few that have an order and no distance: stars, levels, degrees of agreement."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pipeline.errors import GroundupError
from pipeline.evaluate.reliability import Sureness, calibration_error
from pipeline.evaluate.statistics import Statistics, joined
from pipeline.tasks.base import Example, Likely, Prediction
from pipeline.tasks.problems.base import named, names_in
from pipeline.tasks.problems.grades import MOST_GRADES, Grades, grades_of

if TYPE_CHECKING:
    from pipeline.evaluate.outcomes import Outcome


class Ordinal(Grades):
    """Binary cross-entropy of "above this grade" for each but the highest (Frank and Hall, 2001; Cheng et al., 2008).

    "A neural network approach to ordinal regression": how far two neighbouring grades lie apart is learnt, not assumed.
    """

    def check(self, train: Sequence[Example], held_out: Sequence[Example]) -> None:
        """At least two grades, and few: each is learnt by itself."""
        super().check(train, held_out)
        if len(there := grades_of(train)) > MOST_GRADES:
            raise GroundupError(
                self.settings.data,
                f"it has {len(there)} different grades, and ordinal classes are {MOST_GRADES} at most",
                "learn them as numbers, with --finetune.problem grades",
            )

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """An output for each grade but the highest, and ``grades``, all of them."""
        there = grades_of(train)
        return {
            **named([f"above {grade:g}" for grade in there[:-1]]),
            "problem_type": "multi_label_classification",
            "grades": there,
        }

    def target(self, label: Any, config: Any) -> list[float]:
        """1 for each grade that the label is above, else 0."""
        return [float(label > grade) for grade in config.grades[:-1]]

    def settle(self, model: Any, logits: Any, validation: Sequence[Example]) -> dict[str, Any]:
        """A temperature, as for several labels."""
        from pipeline.evaluate.calibration import divide_logits, label_temperature

        truth = [self.target(e.fields["label"], model.config) for e in validation]
        found = label_temperature(logits, truth)
        divide_logits(model, found)
        return {"temperature": found}

    def likely(self, logits: Any, config: Any) -> list[dict[str, Likely]]:
        """Of each grade, what is above the one before and not above itself; 0 where the two cross."""
        found = []
        for above in logits.sigmoid().tolist():
            shares = [max(0.0, before - after) for before, after in pairwise([1.0, *above, 0.0])]
            found.append({f"{g:g}": Likely(p) for g, p in zip(config.grades, shares, strict=True)})
        return found

    def predictions(self, logits: Any, config: Any, examples: Sequence[Example]) -> list[Prediction]:
        """The mean of the grades by their probabilities, and the grade that is as likely exceeded as not."""
        steps = [high - low for low, high in pairwise(config.grades)]
        return [
            _said(example, row, config.grades, steps)
            for example, row in zip(examples, logits.sigmoid().tolist(), strict=True)
        ]

    def outcomes(self, config: Any) -> dict[str, Outcome]:
        """Being above each grade but the highest."""
        from pipeline.evaluate.outcomes import OfLabels

        return {name: OfLabels(name, number) for number, name in enumerate(names_in(config))}

    def chosen(self, prediction: Prediction) -> str:
        """Being above the grade below the one that is said, or, where that is the lowest, above it."""
        grades = list(prediction["above"])
        below = [grade for grade in grades if float(grade) < prediction["grade"]]
        return f"above {below[-1] if below else grades[0]}"

    def statistics(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Statistics:
        """Those of grades, and the calibration error of "above", where there are probabilities."""
        scores, sure = super().statistics(examples, predictions), self.sureness(examples, predictions)
        return joined(scores, calibration_error(*sure)) if sure else scores

    def sureness(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Sureness | None:
        """The probability of being above each grade but the last."""
        if not all("above" in p for p in predictions):
            return None
        likely = [list(p["above"].values()) for p in predictions]
        there = [
            [e.fields["label"] > float(grade) for grade in p["above"]]
            for e, p in zip(examples, predictions, strict=True)
        ]
        return Sureness(likely, there)


def _said(
    example: Example, likely: Sequence[float], grades: Sequence[float], steps: Sequence[float]
) -> Prediction:
    mean = grades[0] + sum(step * chance for step, chance in zip(steps, likely, strict=True))
    grade = grades[sum(chance >= 0.5 for chance in likely)]
    return {
        "prediction": round(mean, 6),
        "grade": grade,
        "correct": grade == example.fields["label"],
        "above": {f"{grade:g}": round(chance, 6) for grade, chance in zip(grades, likely, strict=False)},
    }
