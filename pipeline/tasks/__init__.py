"""The tasks. A new one is one file here, and one line below."""

from __future__ import annotations

from pipeline.errors import GroundupError, nearest
from pipeline.recipe import Finetune
from pipeline.tasks.answering import Answering
from pipeline.tasks.base import Task
from pipeline.tasks.chat import Chat
from pipeline.tasks.qa import QuestionAnswering
from pipeline.tasks.sentiment import Sentiment
from pipeline.tasks.summarization import Summarization
from pipeline.tasks.translation import Translation

TASKS: dict[str, type[Task]] = {
    task.name: task for task in (Sentiment, Translation, QuestionAnswering, Answering, Summarization, Chat)
}


def task_named(name: str, settings: Finetune) -> Task:
    """The task of a name, with its settings.

    Raises:
        GroundupError: for an unknown name, naming the nearest right one.
    """
    if name not in TASKS:
        raise GroundupError(f"task '{name}'", "there is no such task", nearest(name, TASKS))
    return TASKS[name](settings)
