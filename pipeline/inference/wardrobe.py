"""The adapters of a task, and the model that they stand on, which is loaded once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError, nearest
from pipeline.recipe import Finetune
from pipeline.settings import from_settings
from pipeline.stages import adapters_of
from pipeline.tasks import task_named

if TYPE_CHECKING:
    from pipeline.stages import Run


class Wardrobe:
    """One base model that wears one adapter of a task at a time.

    Args:
        run: whose adapters they are.
        task: that they were trained for.
    """

    def __init__(self, run: Run, task: str) -> None:
        self.run, self.task = run, task
        self.model: Any = None
        """With the adapter that is worn, ready to generate or predict."""
        self.tokenizer: Any = None
        self.worn = ""
        self._base: tuple[Any, ...] = ()

    @property
    def names(self) -> list[str]:
        """Finished adapters."""
        directory = self.run.path / adapters_of(self.task)
        found = [path.name for path in directory.iterdir()] if directory.is_dir() else []
        return sorted(name for name in found if self.artifact(name).manifest().get("complete"))

    def artifact(self, name: str) -> Artifact:
        """The directory of an adapter."""
        return Artifact(self.run.path / adapters_of(self.task) / name)

    def wear(self, name: str) -> None:
        """Put on an adapter in place of the one that is worn; it is read once, and then swapped at once.

        Raises:
            GroundupError: when there is none of that name, or it stands on another model.
        """
        from pipeline.model.adapters import use

        if name not in self.names:
            remedy = f"{nearest(name, self.names)}, or train it: groundup finetune --task {self.task} --adapter {name}"
            raise GroundupError(
                str(self.artifact(name).path), f"there is no finished adapter '{name}'", remedy
            )
        manifest = self.artifact(name).manifest()
        settings = from_settings(Finetune, manifest["settings"]["finetune"])
        self._check_base(name, settings, manifest["inputs"])
        self._put_on(name, settings)
        use(self.model, name, self.artifact(name).path)
        self.worn = name

    def _check_base(self, name: str, settings: Finetune, inputs: dict[str, str]) -> None:
        """Adapters are swapped on one model: the same weights, as precise."""
        for stage, mark in inputs.items():
            if self.run.artifact(stage).fingerprint() != mark:
                raise GroundupError(
                    str(self.artifact(name).path),
                    f"{stage} was made anew since this adapter was trained beside it",
                    f"train it again: groundup finetune --task {self.task} --adapter {name}",
                )
        base = (settings.model, settings.adapter.method == "qlora")
        if self._base and base != self._base:
            raise GroundupError(
                str(self.artifact(name).path),
                f"'{name}' stands on another model than '{self.worn}'",
                f"start anew with --adapter {name}",
            )
        self._base = base

    def _put_on(self, name: str, settings: Finetune) -> None:
        from pipeline.model.adapters import ADAPTER, holds, load_base, put_on
        from pipeline.model.machine import on_device
        from pipeline.model.published import load_config, load_tokenizer

        made = self.artifact(name).path
        if self.model is None:
            start = settings.model or str(self.run.artifact("pretrain").path)
            kind = settings.adapter.method
            model_class = task_named(self.task, settings).class_for(load_config(str(made)))
            self.tokenizer = load_tokenizer(str(made))
            self.model = on_device(load_base(start, model_class, made, self.tokenizer, kind))
        if not holds(self.model, name):
            self.model = put_on(self.model, made / ADAPTER, name)


def has_weights(directory: Path) -> bool:
    """Whether a finished stage holds a whole model, and not an adapter alone."""
    return any(directory.glob("*.safetensors"))
