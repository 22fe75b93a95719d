"""Impossible combinations of settings, refused before any work begins; a file for each part of a recipe."""

from __future__ import annotations

import re

from pipeline.checks.aligning import check_dpo, check_grpo
from pipeline.checks.lineage import check_lineage
from pipeline.checks.model import check_causal_family, check_model
from pipeline.checks.numbers import check_numbers, check_ranges
from pipeline.checks.refusal import require
from pipeline.checks.tasks import check_task
from pipeline.checks.training import check_pretraining
from pipeline.checks.watching import check_watch
from pipeline.errors import shown
from pipeline.recipe import Recipe

_NAME = re.compile(r"\w[\w.-]{0,199}")

_LANGUAGE = re.compile("[a-z]{2,3}|code|multilingual")
"""What the Hub takes for the language of a card."""


def check(recipe: Recipe) -> None:
    """Refuse impossible combinations before any work.

    Raises:
        GroundupError: naming the setting and what to do.
    """
    check_numbers(recipe)
    require(
        _NAME.fullmatch(recipe.name) is not None,
        "name",
        f"'{shown(recipe.name)}' is no name of a directory",
        "use letters, digits, '.', '-' and '_'",
    )
    require(
        _LANGUAGE.fullmatch(recipe.language) is not None,
        "language",
        f"'{shown(recipe.language)}' is no code of a language",
        "use one of two or three small letters (ISO 639), such as en, or code, or multilingual",
    )
    check_pretraining(recipe)
    check_watch(recipe.watch)
    for task, settings in recipe.tasks.items():
        check_task(f"tasks.{task}", settings)
    check_dpo(recipe.dpo)
    check_grpo(recipe.grpo)
    require(
        0 < recipe.held_out < 0.9,
        "held-out",
        f"{recipe.held_out} is no share",
        "use one between 0 and 0.9, such as 0.05",
    )
    require(
        all(source.strip() for source in recipe.corpus.sources),
        "corpus.sources",
        "a source is empty",
        "name a file, a directory, package:NAME or hub:OWNER/NAME",
    )
    require(
        0 <= recipe.corpus.near_duplicates < 1,
        "corpus.near-duplicates",
        f"{recipe.corpus.near_duplicates} is no similarity",
        "use one between 0 and 1, such as 0.7",
    )
    require(
        len(recipe.corpus.weights) in (0, len(recipe.corpus.sources)),
        "corpus.weights",
        f"{len(recipe.corpus.weights)} weights for {len(recipe.corpus.sources)} sources",
        "give one for each source",
    )
    require(
        not recipe.corpus.weights or len(set(recipe.corpus.sources)) == len(recipe.corpus.sources),
        "corpus.sources",
        "a source is named twice and has two weights",
        "name each source once",
    )
    require(
        all(weight > 0 for weight in recipe.corpus.weights),
        "corpus.weights",
        "a weight of 0 or less reads nothing",
        "use positive weights, or leave the source out",
    )
    require(
        0 < recipe.corpus.near_false_positives < 1,
        "corpus.near-false-positives",
        f"{recipe.corpus.near_false_positives} is no chance",
        "use one between 0 and 1, such as 0.02",
    )
    require(
        recipe.corpus.longest_document >= recipe.corpus.minimum_characters,
        "corpus.longest-document",
        f"{recipe.corpus.longest_document} is below the {recipe.corpus.minimum_characters} of minimum-characters",
        "use a greater one",
    )
    require(
        recipe.executor.kind != "slurm" or bool(recipe.executor.partition),
        "executor.partition",
        "a Slurm cluster needs one",
        "name it (sinfo lists them)",
    )
    needed = 300 + recipe.tokenizer.sentinels
    require(
        recipe.tokenizer.vocabulary >= needed or recipe.tokenizer.vocabulary == 0,
        "tokenizer.vocabulary",
        f"{recipe.tokenizer.vocabulary} is too small",
        f"bytes and special tokens alone take {needed}; use at least that, or 0 for what suits the model",
    )
    check_model(recipe.model)
    check_causal_family(recipe)
    check_ranges(recipe)
    trains = recipe.pretrain.steps > 0 or not recipe.model.start
    require(
        bool(recipe.corpus.sources) or not trains,
        "corpus.sources",
        "there is no text to train on",
        "name a file, a directory, package:NAME or hub:OWNER/NAME",
    )
    check_lineage(recipe, check)
