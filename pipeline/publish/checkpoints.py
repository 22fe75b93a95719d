"""Checkpoints on the Hub while a training runs, which neither waits for it nor ends for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.processes import say
from pipeline.publish.hub import CARD, Destination, Uploads, goes_up, push
from pipeline.redaction import redacted

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PLACE = ".pushing"


class PushCheckpoints(TrainerCallback):
    """Pushes the model of each checkpoint as a commit, in a thread of its own.

    Its weights, configuration and tokenizer go up, and a card that says what it is; the optimiser's state stays. While
    one is under way those that come are passed over. The first failure is told, and each next checkpoint is tried.

    Args:
        to: where they go.
        name: of the training, for card and commit.
        tokenizer: of the model.
    """

    def __init__(self, to: Destination, name: str, tokenizer: PreTrainedTokenizerBase) -> None:
        self.to, self.name, self.tokenizer = to, name, tokenizer
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._last: Future[None] | None = None
        self._told = False

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Keep the files of the checkpoint by hard links, whatever becomes of it, and have them pushed."""
        if not state.is_world_process_zero or (self._last is not None and not self._last.done()):
            return
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        place = Path(args.output_dir).parent / _PLACE
        self._tell_of_failure(lambda: self._begin(checkpoint, place, state.global_step, state.max_steps))

    def _begin(self, checkpoint: Path, place: Path, step: int, steps: int) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        self.tokenizer.save_pretrained(place)
        for file in checkpoint.iterdir():
            if goes_up(file.name) and not (place / file.name).exists():
                (place / file.name).hardlink_to(file)
        files: Uploads = {file.name: file for file in sorted(place.iterdir()) if goes_up(file.name)}
        if not any(".safetensors" in name for name in files):
            raise FileNotFoundError("the checkpoint holds no whole weights")
        message = f"{self.name}: step {step} of {steps}"
        files = {CARD: _card(message).encode(), **files}
        self._last = self._thread.submit(self._push, files, message, place)

    def _push(self, files: Uploads, message: str, place: Path) -> None:
        self._tell_of_failure(lambda: push(files, self.to, message))
        shutil.rmtree(place, ignore_errors=True)

    def _tell_of_failure(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is, the training is worth more
            if not self._told:
                self._told = True
                say(redacted(f"a checkpoint was not pushed, and the training goes on: {error}"))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Wait for the one that is under way: the finished model comes after it."""
        self._thread.shutdown()


def _card(message: str) -> str:
    return (
        "---\nlibrary_name: transformers\ntags:\n- groundup\n- checkpoint\n---\n\n"
        f"# Checkpoint\n\n{message}. The training goes on: the model is not finished, and was not measured.\n"
    )
