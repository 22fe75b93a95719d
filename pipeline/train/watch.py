"""Watching a training: a live bar or quiet lines, a JSON Lines log, samples from fixed prompts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.artifacts import write_text

_QUIET_SECONDS = 15.0
"""Least time between two lines where the output is no terminal."""


class Log(TrainerCallback):
    """``log.jsonl``: one object a line, without double or missing steps after a resumption.

    Args:
        file: the log.
        tokens_per_step: tokens of one global batch, for throughput.
        facts: what every line says beside, such as the name of the run.
    """

    def __init__(self, file: Path, tokens_per_step: float, facts: dict[str, Any]) -> None:
        self.file, self.tokens_per_step, self.facts = file, tokens_per_step, facts
        self.seconds, self.since, self.step = 0.0, 0.0, 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if state.is_world_process_zero:
            kept = [entry for entry in read_log(self.file) if not self._is_after(entry, state.global_step)]
            mine = [entry for entry in kept if self._is_mine(entry) and "seconds" in entry]
            self.seconds = mine[-1]["seconds"] if mine else 0.0
            write_text(self.file, "".join(json.dumps(entry) + "\n" for entry in kept))
        self.since, self.step = time.monotonic(), state.global_step

    def _is_mine(self, entry: dict[str, Any]) -> bool:
        return all(entry.get(key) == value for key, value in self.facts.items())

    def _is_after(self, entry: dict[str, Any], step: int) -> bool:
        return self._is_mine(entry) and entry["step"] > step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        logs = dict(logs or {})
        if "loss" in logs:
            now = time.monotonic()
            taken, steps = now - self.since, state.global_step - self.step
            self.seconds, self.since, self.step = self.seconds + taken, now, state.global_step
            logs |= {
                "tokens": round(state.global_step * self.tokens_per_step),
                "tokens_per_second": steps * self.tokens_per_step / max(taken, 1e-9),
                "seconds": self.seconds,
            }
        logs.pop("epoch", None)
        if state.is_world_process_zero and "train_runtime" not in logs:
            self.append({"step": state.global_step, **logs})

    def append(self, entry: dict[str, Any]) -> None:
        """Add one line."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**entry, **self.facts}, ensure_ascii=False) + "\n")

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.since, self.step = time.monotonic(), state.global_step  # measuring is no training time


def read_log(file: Path) -> list[dict[str, Any]]:
    """The entries of a log; a last line that was cut off is passed over."""
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    return entries


class Bar(TrainerCallback):
    """A live bar with step, loss, tokens/s and time left; on anything but a terminal, a line now and then."""

    def __init__(self, title: str, tokens_per_step: float) -> None:
        self.title, self.tokens_per_step = title, tokens_per_step
        self.progress: Progress | None = None
        self.began, self.first, self.said = 0.0, -1, 0.0
        self.loss: float | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if state.is_world_process_zero and sys.stdout.isatty():
            self.progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[facts]}"),
                TimeRemainingColumn(),
            )
            self.progress.add_task(self.title, total=state.max_steps, completed=state.global_step, facts="")
            self.progress.start()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        logs = logs or {}
        self.loss = logs.get("loss", self.loss)
        if "bits_per_byte" in logs and state.is_world_process_zero:
            held_out = f"held-out loss {logs['eval_loss']:.3f} · {logs['bits_per_byte']:.3f} bits per byte"
            print(f"{self.title} step {state.global_step}/{state.max_steps} · {held_out}", flush=True)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if not state.is_world_process_zero:
            return
        now = time.monotonic()
        if self.first < 0:  # the first step compiles, and says nothing of the pace
            self.began, self.first, self.said = now, state.global_step, now
            return
        pace = (state.global_step - self.first) / max(now - self.began, 1e-9)
        loss = "–" if self.loss is None else f"{self.loss:.3f}"
        facts = f"loss {loss} · {pace * self.tokens_per_step:,.0f} tokens/s"
        if self.progress is not None:
            self.progress.update(self.progress.task_ids[0], completed=state.global_step, facts=facts)
        elif now - self.said >= _QUIET_SECONDS or state.global_step == state.max_steps:
            self.said = now
            left = (state.max_steps - state.global_step) / pace
            print(
                f"{self.title} step {state.global_step}/{state.max_steps} · {facts} · {left:.0f} s left",
                flush=True,
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if self.progress is not None:
            self.progress.stop()


class Samples(TrainerCallback):
    """Continuations of fixed prompts at every measurement, into the log; the first one on the screen too."""

    def __init__(self, prompts: Sequence[str], tokenizer: Any, log: Log, new_tokens: int = 32) -> None:
        self.prompts, self.tokenizer, self.log, self.new_tokens = prompts, tokenizer, log, new_tokens

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: object,
    ) -> None:
        if self.prompts and state.is_world_process_zero:
            samples = continuations(model, self.tokenizer, self.prompts, self.new_tokens)
            self.log.append({"step": state.global_step, "samples": samples})
            print(f"  {samples[0]['prompt']} … {' '.join(samples[0]['text'].split())}", flush=True)


def continuations(
    model: Any, tokenizer: Any, prompts: Sequence[str], new_tokens: int
) -> list[dict[str, str]]:
    """What the model writes after each prompt, greedily, with a mild penalty on repetition."""
    from pipeline.evaluate.predict import generate_texts

    plain = getattr(
        model, "_orig_mod", model
    )  # generation changes shapes at every token; uncompiled it is faster
    ids = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    texts = generate_texts(plain, tokenizer, ids, new_tokens, len(ids), repetition_penalty=1.3)
    plain.train()
    return [{"prompt": prompt, "text": text} for prompt, text in zip(prompts, texts, strict=True)]
