"""The problems that classification solves. A new one is one file here, and one line below."""

from __future__ import annotations

from pipeline.recipe import Finetune
from pipeline.tasks.problems.base import Loss, Problem
from pipeline.tasks.problems.classes import Classes
from pipeline.tasks.problems.grades import Grades
from pipeline.tasks.problems.labels import Labels
from pipeline.tasks.problems.ordinal import Ordinal

__all__ = ["PROBLEMS", "Loss", "Problem", "problem_of"]

PROBLEMS: dict[str, type[Problem]] = {
    "classes": Classes,
    "labels": Labels,
    "grades": Grades,
    "ordinal": Ordinal,
}
"""By the setting ``problem``."""


def problem_of(settings: Finetune) -> Problem:
    """The problem that the settings name."""
    return PROBLEMS[settings.problem](settings)
