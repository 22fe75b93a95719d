"""A training on the terminal: a live bar, or a quiet line now and then where the output is no terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_QUIET_SECONDS = 15.0
"""Least time between two lines where the output is no terminal."""


class Bar(TrainerCallback):
    """Step, loss, tokens/s, model FLOPs utilisation and time left; what measurements find, and the start-up."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.progress: Progress | None = None
        self.began, self.first, self.said = 0.0, -1, 0.0
        self.startup = 0.0
        self.logs: dict[str, Any] = {}

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
        if not state.is_world_process_zero:
            return
        if "loss" in logs:
            self.logs = logs
        self.startup = logs.get("startup_seconds", self.startup)
        if "compile_seconds" in logs:
            doing = "compiling" if args.torch_compile else "warming up"
            compiling = f"of which {doing} {logs['compile_seconds']:.1f} s"
            print(f"{self.title} first step after {self.startup:.1f} s, {compiling}", flush=True)
        if "eval_loss" in logs:
            held_out = f"held-out loss {logs['eval_loss']:.3f}"
            if "bits_per_byte" in logs:
                held_out += f" · {logs['bits_per_byte']:.3f} bits per byte"
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
        if self.progress is not None:
            self.progress.update(self.progress.task_ids[0], completed=state.global_step, facts=self._facts())
        elif now - self.said >= _QUIET_SECONDS or state.global_step == state.max_steps:
            self.said = now
            left = (
                (state.max_steps - state.global_step) * (now - self.began) / (state.global_step - self.first)
            )
            print(
                f"{self.title} step {state.global_step}/{state.max_steps} · {self._facts()} · {left:.0f} s left",
                flush=True,
            )

    def _facts(self) -> str:
        """What the last line of the log says, in few words."""
        if not self.logs:
            return "loss –"
        words = [f"loss {self.logs['loss']:.3f}"]
        if "reward" in self.logs:  # where answers are rewarded, and the loss says little
            words.append(f"reward {self.logs['reward']:.3f}")
        if "tokens_per_second" in self.logs:
            words.append(f"{self.logs['tokens_per_second']:,.0f} tokens/s")
        if "mfu" in self.logs:
            words.append(f"MFU {self.logs['mfu']:.0%}")
        return " · ".join(words)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if self.progress is not None:
            self.progress.stop()
