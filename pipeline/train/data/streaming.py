"""Training rows of a stream: the window that is trained on, and the one that is made meanwhile."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from pipeline.processes import is_main, on_main
from pipeline.recipe import Recipe
from pipeline.tokenizer.build import TOKENIZER
from pipeline.tokenizer.encode import load_encoder
from pipeline.train.data.blocks import packed_row
from pipeline.train.data.examples import held_out_texts
from pipeline.train.data.packing import Integers, Rows, packed
from pipeline.train.data.windows import Text, Window, Windows
from pipeline.train.faults.checkpoints import newest_step

_LOOK = 0.05
"""Seconds between two looks of another process for a window that the first one makes."""


@dataclass(frozen=True)
class _Opened:
    """A window with its rows and their order."""

    window: Window
    plan: Rows
    order: Integers


def streamed_rows(
    recipe: Recipe, tokenizer: PreTrainedTokenizerBase, directory: Path, measured: str, checkpoints: Path
) -> StreamedRows:
    """Rows of the recipe's stream; the first process makes its first window, so that all hear what is wrong with it.

    Args:
        recipe: what to train.
        tokenizer: whose ids the rows are of.
        directory: of the tokenizer.
        measured: the held-out text.
        checkpoints: directory for the windows, and of checkpoints.

    Raises:
        GroundupError: when the stream cannot be read, or holds nothing to train on.
    """
    settings = recipe.pretrain
    tasks = held_out_texts(recipe.tasks, recipe.held_out, recipe.seed)
    text = Text(
        settings.stream, recipe.corpus, recipe.held_out, recipe.seed, itertools.chain([measured], tasks)
    )
    entries = 1 + max(tokenizer.get_vocab().values())
    windows = Windows(
        text,
        load_encoder(directory / TOKENIZER),
        tokenizer.eos_token_id,
        entries,
        recipe.model.context,
        checkpoints / "stream",
    )
    on_main(lambda: windows.known(0) or windows.make(0))
    rows = settings.steps * settings.global_batch
    return StreamedRows(
        windows, rows, recipe.seed, tokenizer.pad_token_id, checkpoints, settings.global_batch
    )


class StreamedRows(Dataset):
    """``rows`` rows of packed documents, window after window, each shuffled by the seed.

    The i-th row is the same in every process and after every resumption, as those of ``TrainingRows`` are. Rows are
    asked for in order. The first process makes the windows, one ahead of the training, and removes those that the
    newest checkpoint has behind it; the others wait for them to be there.

    Args:
        windows: of the stream.
        rows: rows until the end of training.
        seed: of the order within windows.
        padding: token at the end of rows that are not full.
        checkpoints: directory of the training's checkpoints.
        global_batch: rows of a step.
    """

    def __init__(
        self, windows: Windows, rows: int, seed: int, padding: int, checkpoints: Path, global_batch: int
    ) -> None:
        self.windows, self.rows, self.seed, self.padding = windows, rows, seed, padding
        self.checkpoints, self.global_batch = checkpoints, global_batch
        self.number = 0
        self.opened: _Opened | None = None
        self.ahead: _Ahead | None = None

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """As ``features`` has it.

        Raises:
            GroundupError: when the stream cannot be read on, or there is no room for it.
        """
        if self.opened is None or index >= self.opened.window.behind:
            self.opened = self._open(index)
        window, plan, order = self.opened.window, self.opened.plan, self.opened.order
        row = int(order[index - window.first])
        return packed_row(window.shard, plan, row, self.windows.length, self.padding)

    def _open(self, index: int) -> _Opened:
        """The window of a row. Those before it, which a resumption has behind it, need not be there again."""
        for number in itertools.count(self.number):
            known = self.windows.known(number)
            if known is not None and index >= known.behind:
                continue
            window = self._made(number)
            if index < window.behind:
                break
        self.number = number
        order = np.random.default_rng((self.seed, number)).permutation(window.rows)
        return _Opened(window, packed(window.shard, self.windows.length, self.windows.plans), order)

    def _made(self, number: int) -> Window:
        """A window whose tokens are there; the first process begins with the next one."""
        if not is_main():
            while (window := self.windows.whole(number)) is None:
                time.sleep(_LOOK)
            return window
        if self.ahead is not None:
            self.ahead.finish()
        self.windows.forget(newest_step(self.checkpoints) * self.global_batch)
        window = self.windows.make(number)
        if window.behind < self.rows:
            self.ahead = _Ahead(self.windows, number + 1)
            self.ahead.start()
        return window


class _Ahead(Thread):
    """Makes a window while the training goes on; whoever ends the training does not wait for it."""

    def __init__(self, windows: Windows, number: int) -> None:
        super().__init__(daemon=True)
        self.windows, self.number = windows, number
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.windows.make(self.number)
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        """Wait for it, and raise what it raised."""
        self.join()
        if self.error is not None:
            raise self.error
