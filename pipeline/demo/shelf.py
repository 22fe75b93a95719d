"""The finished models of a run: which there are, which are missing, and each loaded when it is first used."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import PREDICTIONS, read_json
from pipeline.inference.finished import Finished, finished
from pipeline.inference.speaker import Speaker
from pipeline.recipe import ALIGNED, Finetune
from pipeline.settings import from_settings
from pipeline.stages import adapters_of, stage_of
from pipeline.tasks import TASKS, task_named

if TYPE_CHECKING:
    from pipeline.stages import Run
    from pipeline.tasks.base import Task

_EXAMPLES = 50
"""Of the held-out part, to fill in."""


@dataclass(frozen=True)
class Missing:
    """A model that the recipe declares and that is not finished."""

    what: str
    command: str


class Shelf:
    """The models of a run.

    Args:
        run: whose directory is read, and not changed.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._lock = Lock()
        self._loaded: dict[str, Any] = {}

    @property
    def tasks(self) -> dict[str, Task]:
        """Finished tasks by their name, as they were trained; those of the recipe first, and in its order."""
        names = dict.fromkeys([*self.run.recipe.tasks, *TASKS])
        return {name: self._task(name) for name in names if self.is_finished(self.run.stage_of(name))}

    def _task(self, name: str) -> Task:
        manifest = self.run.artifact(self.run.stage_of(name)).manifest()
        return task_named(name, from_settings(Finetune, manifest["settings"]["finetune"]))

    @property
    def aligned(self) -> list[str]:
        """What was aligned by preferences or rewards."""
        return [method for method in ALIGNED if self.is_finished(stage_of(method))]

    @property
    def missing(self) -> list[Missing]:
        """What the recipe declares beside."""
        recipe = self.run.recipe
        found = [] if self.is_finished("pretrain") else [Missing("the pre-trained model", "make pretrain")]
        for name in recipe.tasks:
            if not self.is_finished(self.run.stage_of(name)):
                found.append(Missing(name, f"make finetune TASK={name}"))
        return found + [
            Missing(method, "make align")
            for method, settings in (("dpo", recipe.dpo), ("grpo", recipe.grpo))
            if settings.data and not self.is_finished(stage_of(method))
        ]

    def is_finished(self, stage: str) -> bool:
        """Whether a stage has ended, with whatever settings."""
        return bool(self.run.artifact(stage).manifest().get("complete"))

    def finished(self, task: str) -> Finished:
        """A task's model, ready to predict."""
        return self._once(f"task {task}", lambda: finished(self.run, task))

    def speaker(self, name: str) -> Speaker:
        """A model that is talked to: of a task, dpo or grpo, or the pre-trained one where the name is empty."""
        adapter = name in self.run.recipe.tasks and self.run.recipe.tasks[name].adapter.name
        if adapter:
            return self._once(f"talk {name}", lambda: Speaker.adapted(self.run, name, adapter))
        stage = self.run.stage_of(name) if name else "pretrain"
        return self._once(f"talk {name}", lambda: Speaker.load(self.run.artifact(stage)))

    def adapters(self, task: str) -> list[str]:
        """The finished adapters of a task, where the recipe names one of them."""
        settings = self.run.recipe.tasks.get(task)
        directory = self.run.path / adapters_of(task)
        if not settings or not settings.adapter.name or not directory.is_dir():
            return []
        names = sorted(path.name for path in directory.iterdir())
        return [name for name in names if self.is_finished(f"{adapters_of(task)}/{name}")]

    def generation(self, name: str) -> Any:
        """How a model that is talked to samples by itself: its generation configuration, read without the weights."""
        from transformers import GenerationConfig

        stage = self.run.stage_of(name) if name else "pretrain"
        file = self.run.artifact(stage).path / "generation_config.json"
        return GenerationConfig(**read_json(file)) if file.is_file() else GenerationConfig()

    def examples(self, task: str) -> list[dict[str, Any]]:
        """The first held-out examples, as the model was measured on them; none where their file is gone."""
        file = self.run.artifact(self.run.stage_of(task)).path / PREDICTIONS
        if not file.is_file():
            return []
        with file.open(encoding="utf-8") as lines:
            return [json.loads(line) for line in itertools.islice(lines, _EXAMPLES)]

    def _once(self, key: str, load: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = load()
            return self._loaded[key]
