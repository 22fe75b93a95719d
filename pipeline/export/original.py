"""The finished model that is exported, as it is: whole, an adapter merged into it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Artifact, file_facts
from pipeline.errors import GroundupError
from pipeline.inference.finished import finished, finished_artifact, stock_model
from pipeline.inference.wardrobe import has_weights
from pipeline.recipe import ALIGNED

if TYPE_CHECKING:
    from pipeline.stages import Run
    from pipeline.tasks.base import Task

WRITER = "AutoModelForCausalLM"
_WEIGHTS = "*.safetensors"


@dataclass(frozen=True)
class Original:
    """A model and its tokenizer, in memory and in a directory."""

    stage: str
    model: Any
    """In float32."""
    tokenizer: Any
    head: str
    """The stock transformers class that the model is loaded by."""
    directory: Path
    """With ``config.json`` and whole weights in safetensors."""
    task: Task | None
    """What the model was fine-tuned for; None for one that continues text."""

    @property
    def size(self) -> int:
        """Bytes of the weights as they are stored."""
        return weights_size(self.directory, _WEIGHTS)

    def save_settings(self, directory: Path) -> None:
        """Write all but the weights: configuration, with thresholds and names of labels, generation, tokenizer."""
        self.model.config.save_pretrained(directory)
        if self.model.can_generate():
            self.model.generation_config.save_pretrained(directory)
        self.tokenizer.save_pretrained(directory)


@contextmanager
def opened(run: Run, task: str) -> Iterator[Original]:
    """Load a finished model; an adapter of a name is merged, and lies in a directory of its own for as long.

    Args:
        run: whose model.
        task: that it was fine-tuned for, or dpo or grpo; empty takes the pre-trained one.

    Raises:
        GroundupError: when it is not finished, or its files are not those of the finished stage.
    """
    artifact = finished_artifact(run, task)
    check_whole(artifact)
    stage = str(artifact.manifest()["stage"])
    if not task or task in ALIGNED:
        model, tokenizer = stock_model(artifact)
        yield Original(stage, model, tokenizer, WRITER, artifact.path, None)
        return
    made = finished(run, task)
    head = made.task.class_for(made.model.config)
    if has_weights(artifact.path) and not made.task.settings.adapter.name:
        yield Original(stage, made.model, made.tokenizer, head, artifact.path, made.task)
        return
    from pipeline.model.adapters import merged

    with tempfile.TemporaryDirectory() as place:
        model = merged(made.model)
        model.save_pretrained(place)
        yield Original(stage, model, made.tokenizer, head, Path(place), made.task)


def check_whole(artifact: Artifact) -> None:
    """Refuse a finished stage whose weights, configuration or tokenizer are not what it wrote.

    Raises:
        GroundupError: naming the file.
    """
    for name, facts in artifact.manifest()["files"].items():
        file = artifact.path / name
        if file.suffix in (".safetensors", ".json") and (not file.is_file() or file_facts(file) != facts):
            raise GroundupError(
                str(file),
                "it is not the file that the finished stage wrote",
                f"delete {artifact.path} and make the model again",
            )


def weights_size(directory: Path, *patterns: str) -> int:
    """Bytes of the files of a directory whose names fit any of the patterns."""
    files: Sequence[Path] = sorted({file for pattern in patterns for file in directory.glob(pattern)})
    return sum(file.stat().st_size for file in files)
