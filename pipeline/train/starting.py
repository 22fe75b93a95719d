"""The model of a fine-tuning: before its first step, and read again when it is trained, with an adapter or not."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipeline.errors import GroundupError
from pipeline.model.adapters import (
    ADAPTER,
    attach,
    base_options,
    load_base,
    merged,
    new_tokens,
    put_on,
    save_adapter,
    save_settings,
    without_rows,
)
from pipeline.model.machine import takes_bfloat16
from pipeline.model.published import check_positions, fit_embeddings, load_config, load_model
from pipeline.tasks.base import Example, Task


def starting_model(
    task: Task, tokenizer: PreTrainedTokenizerBase, start: str, train: Sequence[Example]
) -> PreTrainedModel:
    """The model before its first step, with an adapter where one is trained.

    Raises:
        GroundupError: when it cannot be loaded, or has fewer positions than examples have tokens; when an adapter is
            to be private and would have to learn new tokens.
    """
    settings, adapter, head = task.settings, task.settings.adapter, task.class_for(load_config(start))
    model = load_model(
        start,
        head,
        loading=base_options(adapter.method, start, head, takes_bfloat16(settings.precision)),
        pad_token_id=tokenizer.pad_token_id,
        **task.model_config(train),
    )
    check_positions(model.config, settings.max_tokens, start, "--max-tokens")
    tokens = new_tokens(model, tokenizer)
    if settings.privacy.epsilon and adapter.method != "none":
        if without_rows(model, tokenizer):
            raise GroundupError(
                "--finetune.adapter.kind",
                "the model has no embeddings of the turns of a conversation, and Opacus cannot take the gradients by "
                "example of those that an adapter would add",
                "train all weights, with --finetune.adapter.kind none, or start from a model that knows turns",
            )
        tokens = []  # those that are there stay as they are
    fit_embeddings(model, tokenizer)
    return model if adapter.method == "none" else attach(model, adapter, head, tokens)


def trained_model(
    task: Task, tokenizer: PreTrainedTokenizerBase, start: str, directory: Path
) -> PreTrainedModel:
    """What a Trainer saved in a directory; an adapter on the model that it stands on."""
    kind, head = task.settings.adapter.method, task.class_for(load_config(str(directory)))
    if kind == "none":
        return load_model(str(directory), head)
    return put_on(load_base(start, head, directory, tokenizer, kind), directory)


def finished_model(task: Task, trained: PreTrainedModel, start: str, directory: Path) -> PreTrainedModel:
    """An adapter is kept below a directory, with what was settled, and merged unless it is one of many on one model."""
    adapter = task.settings.adapter
    if adapter.method == "none":
        return trained
    save_adapter(trained, directory / ADAPTER, start)
    return trained if adapter.name else merged(trained)


def save_finished(task: Task, model: PreTrainedModel, directory: Path, out: Path) -> None:
    """Write a stock model, and the adapter that ``finished_model`` kept; one with a name alone."""
    if task.settings.adapter.name:
        save_settings(model, out)
    else:
        model.save_pretrained(out)
    if (directory / ADAPTER).is_dir():
        shutil.copytree(directory / ADAPTER, out / ADAPTER)
