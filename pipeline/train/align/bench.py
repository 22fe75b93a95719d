"""What both ways of aligning share: where they start, how TRL is told, and the model before and after."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, Trainer

from pipeline.artifacts import (
    DETAILS,
    LOG,
    PREDICTIONS,
    Artifact,
    read_json,
    write_json,
    write_json_lines,
)
from pipeline.errors import GroundupError
from pipeline.evaluate.statistics import Statistics, coarse_enough
from pipeline.model.machine import Choice, on_device, takes_bfloat16, use_physical_cores
from pipeline.model.messages import Message
from pipeline.model.published import check_positions, fit_embeddings, load_model, load_tokenizer
from pipeline.model.special_tokens import harmless
from pipeline.model.turns import ready_for_turns
from pipeline.processes import on_main, say
from pipeline.recipe import Dpo, Grpo, Watch
from pipeline.startup import work_ended
from pipeline.tasks.base import Example, Prediction
from pipeline.train.align import MAIN_METRICS
from pipeline.train.arguments import training_arguments
from pipeline.train.faults.resuming import save_trained, train_or_resume
from pipeline.train.judging import MODEL, compared
from pipeline.train.watching.bar import Bar
from pipeline.train.watching.log import Log
from pipeline.train.watching.trackers import tracker_arguments, tracker_callbacks

BEFORE = "before"
_TRAINED = "trained"
Metrics = Mapping[str, Mapping[str, Any]]


def check_trl() -> None:
    """Refuse to align where nothing does it.

    Raises:
        GroundupError: when TRL is not installed.
    """
    if importlib.util.find_spec("trl") is None:
        raise GroundupError(
            "align", "TRL is not installed", "pip install 'groundup[preferences]', or make setup"
        )


@dataclass(frozen=True)
class Bench:
    """One way of aligning one model: whatever is measured here is measured alike."""

    name: str
    settings: Dpo | Grpo
    start: str
    tokenizer: PreTrainedTokenizerBase
    seed: int
    out: Artifact
    watch: Watch
    longest: int
    """Tokens of a conversation, at most."""

    @classmethod
    def opened(
        cls,
        name: str,
        settings: Dpo | Grpo,
        start: str,
        seed: int,
        out: Artifact,
        watch: Watch,
        longest: int,
    ) -> Bench:
        """With the start's tokenizer, ready for turns."""
        tokenizer = load_tokenizer(start)
        ready_for_turns(tokenizer)
        return cls(name, settings, start, tokenizer, seed, out, watch, longest)

    def with_longest(self, tokens: int) -> Bench:
        """The same for conversations of at most so many tokens."""
        return replace(self, longest=tokens)

    def harmless(self, messages: Sequence[Message]) -> list[Message]:
        """Messages as TRL is given them: it renders them itself, and no text of theirs may spell a special token."""
        return [{**m, "content": harmless(m["content"], self.tokenizer)} for m in messages]

    def model(self, place: str = "") -> PreTrainedModel:
        """The model at the start, or as saved; a reply ends it.

        Raises:
            GroundupError: when conversations may be longer than it can be told.
        """
        ends = {"pad_token_id": self.tokenizer.pad_token_id, "eos_token_id": self.tokenizer.eos_token_id}
        model = load_model(place or self.start, "AutoModelForCausalLM", **ends)
        fit_embeddings(model, self.tokenizer)
        check_positions(model.config, self.longest, self.start, f"align {self.name}")
        most = self.settings.max_new_tokens if isinstance(self.settings, Grpo) else self.settings.max_tokens
        model.generation_config = GenerationConfig(
            bos_token_id=self.tokenizer.bos_token_id, max_new_tokens=most, **ends
        )
        return model

    def arguments(self, kind: type[Any], **others: Any) -> Any:
        """TRL's arguments of one kind, by the settings."""
        use_physical_cores()
        bfloat16 = takes_bfloat16(self.settings.precision)
        # Compilation was not measured here, and Liger's kernels are deprecated in TRL.
        choice = Choice(bfloat16, compiles=False, attention="sdpa")
        say(f"{self.name}: {choice}")
        return training_arguments(
            self.settings,
            choice,
            self.out.checkpoints,
            self.seed,
            kind,
            learning_rate=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
            use_liger_kernel=False,
            liger_kernel_config=None,
            gradient_checkpointing=False,
            **tracker_arguments(self.watch.report_to, self.out, self.name),
            **others,
        )

    def run(
        self,
        items: Sequence[Example],
        measure: Callable[[PreTrainedModel], list[Prediction]],
        trainer: Callable[[PreTrainedModel], Trainer],
        statistics: Callable[[Sequence[Prediction], Sequence[Prediction]], Statistics],
    ) -> Metrics:
        """Measure, train, measure again; what was done before an interruption stands.

        Args:
            items: that are measured on.
            measure: a model to one prediction an item.
            trainer: a model to TRL's Trainer of it.
            statistics: of predictions, beside those before the training.

        Returns:
            Rows ``model`` and ``before``.
        """
        began = time.monotonic()
        said = {BEFORE: self._measured(BEFORE, "", measure)}
        trained = self.out.checkpoints / _TRAINED
        if not (trained / "config.json").is_file():
            self._train(trainer)
        said[MODEL] = self._measured(MODEL, str(trained), measure)

        def finish() -> Metrics:
            rows = {name: statistics(said[name], said[BEFORE]) for name in (MODEL, BEFORE)}
            groups = coarse_enough([i.group for i in items])
            metrics, details = compared(rows, groups, self.seed, MAIN_METRICS[self.name])
            model = self.model(str(trained))
            with self.out.writing() as beside:
                model.save_pretrained(beside)
                self.tokenizer.save_pretrained(beside)
                pairs = zip(items, said[MODEL], said[BEFORE], strict=True)
                write_json_lines(
                    beside / PREDICTIONS,
                    (item.with_prediction({**after, BEFORE: before}) for item, after, before in pairs),
                )
            write_json(self.out.path / DETAILS, details)
            costs = {"parameters": model.num_parameters(), "seconds": time.monotonic() - began}
            told = {name: {**values, "examples": len(items)} for name, values in metrics.items()}
            return {**told, MODEL: {**told[MODEL], **costs}}

        return on_main(finish)

    def _measured(
        self, row: str, place: str, measure: Callable[[PreTrainedModel], list[Prediction]]
    ) -> list[Prediction]:
        file = self.out.checkpoints / f"{row}.json"

        def measured() -> list[Prediction]:
            if not file.is_file():
                write_json(file, {"said": measure(on_device(self.model(place)))})
            return read_json(file)["said"]

        return on_main(measured)

    def _train(self, made: Callable[[PreTrainedModel], Trainer]) -> None:
        checkpoints = self.out.checkpoints
        trainer = made(self.model())
        for callback in (
            Log(self.out.path / LOG, {"run": MODEL}),
            Bar(self.name),
            *tracker_callbacks(self.watch.report_to, self.out, checkpoints, self.name),
        ):
            trainer.add_callback(callback)
        train_or_resume(trainer, checkpoints, self.watch.hung_after)
        save_trained(trainer, checkpoints / _TRAINED)
        work_ended()
