"""Preference tuning: pairs of answers to a model that prefers the chosen ones, through TRL's DPOTrainer."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError
from pipeline.evaluate.predict import summed_losses
from pipeline.evaluate.statistics import Statistics, joined, means, ratios
from pipeline.model.messages import read_messages
from pipeline.model.turns import written
from pipeline.processes import on_main, say
from pipeline.recipe import Dpo, Watch
from pipeline.sources import Row, read_splits, sound
from pipeline.sources.columns import column
from pipeline.tasks.base import IGNORED, Example, Prediction
from pipeline.train.align.bench import Bench, Metrics
from pipeline.train.data.examples import Parts, split, without

_SIDES = ("chosen", "rejected")


def dpo(
    settings: Dpo,
    start: str,
    held_out: float,
    seed: int,
    out: Artifact,
    watch: Watch = Watch(),  # noqa: B008
) -> Metrics:
    """Tune a model by preferences, and measure it on held-out pairs before and after.

    Args:
        settings: pairs and training settings.
        start: a path, a Hub name or package:NAME.
        held_out: share of prompts that is held out where the data brings no such part.
        seed: of split, order and bootstrap.
        out: directory of the stage.
        watch: where training is told.

    Returns:
        Rows ``model`` and ``before``: ``reward_accuracy``, the share of pairs whose chosen answer has the greater
        implicit reward (0.5 before: there is none yet, and ties count half); ``reward_margin``, by how much;
        ``ranking_accuracy``, the share whose chosen answer is the likelier; ``loss``, nats a token of chosen ones.
    """
    parts = on_main(lambda: read_pairs(settings, held_out, seed))
    say(f"dpo: {len(parts.train)} pairs to train on, {len(parts.held_out)} held out")
    bench = Bench.opened("dpo", settings, start, seed, out, watch, settings.max_tokens)

    def measure(model: PreTrainedModel) -> list[Prediction]:
        return likelihoods(model, bench.tokenizer, parts.held_out, settings)

    def statistics(said: Sequence[Prediction], before: Sequence[Prediction]) -> Statistics:
        return statistics_of(said, before, settings.beta)

    return bench.run(parts.held_out, measure, lambda model: trainer(bench, model, parts.train), statistics)


def read_pairs(settings: Dpo, share: float, seed: int) -> Parts:
    """Pairs to train on and held-out ones; those of one prompt stay on one side.

    Raises:
        GroundupError: for a row that is no pair, or when there are too few.
    """
    rows, own = read_splits(settings.data)
    train = list(pairs(sound(rows)))
    if own is None:
        parts = split(train, share, seed)
    else:
        held_out = list(pairs(sound(own)))
        parts = Parts(without(train, held_out), held_out)
    if not parts.train or not parts.held_out:
        raise GroundupError(
            settings.data,
            f"{len(train)} pairs do not make a training and a held-out part",
            "give more pairs with different prompts",
        )
    return parts


def pairs(rows: Iterable[Row]) -> Iterator[Example]:
    """TRL's forms of preferences: texts or messages; without a prompt, what both conversations begin with.

    Raises:
        GroundupError: for a row that is none, naming its place.
    """
    for row in rows:
        if row.values.get("tools"):
            raise GroundupError(row.place, "preferences with tools are not there yet", "leave the tools out")
        sides = [_messages(row, side) for side in _SIDES]
        prompt = _prompt(row, sides)
        whole = sides if _is_whole(row) else [[*prompt, *side] for side in sides]
        asked, *talks = [read_messages(talk, row.place) for talk in (prompt, *whole)]
        answers = [talk[len(asked) :] for talk in talks]
        if not asked or any(
            talk[: len(asked)] != asked or [m["role"] for m in answer] != ["assistant"]
            for talk, answer in zip(talks, answers, strict=True)
        ):
            raise GroundupError(
                row.place,
                "it is no prompt with two answers",
                "give what the user says as prompt, and one message of the assistant as chosen and as rejected",
            )
        group = row.group or "\n".join(m["content"] for m in asked)
        fields = {"prompt": asked, **dict(zip(_SIDES, answers, strict=True))}
        yield Example(fields, row.place, group)


def _is_whole(row: Row) -> bool:
    """Whether chosen and rejected hold the prompt too."""
    return row.values.get("prompt") is None


def _messages(row: Row, side: str) -> list[Any]:
    value = column(row, side, "dpo.data")
    return value if isinstance(value, list) else [{"role": "assistant", "content": value}]


def _prompt(row: Row, sides: Sequence[list[Any]]) -> list[Any]:
    if _is_whole(row):
        first, second = sides
        same = 0
        while same < min(len(first), len(second)) - 1 and first[same] == second[same]:
            same += 1
        return first[:same]
    prompt = row.values["prompt"]
    return prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]


def trainer(bench: Bench, model: PreTrainedModel, train: Sequence[Example]) -> Any:
    """TRL's Trainer, which renders and encodes the pairs by the model's template itself.

    What the start makes of the pairs is computed once, before training, so that no second model is held.
    """
    import datasets
    from trl import DPOConfig, DPOTrainer

    settings = bench.settings
    assert isinstance(settings, Dpo)
    chosen = list(train)
    random.Random(bench.seed).shuffle(chosen)
    most = settings.steps * settings.global_batch
    rows = [{name: bench.harmless(said) for name, said in pair.fields.items()} for pair in chosen[:most]]
    datasets.disable_progress_bars()
    return DPOTrainer(
        model,
        args=bench.arguments(
            DPOConfig, beta=settings.beta, max_length=settings.max_tokens, precompute_ref_log_probs=True
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=bench.tokenizer,
    )


def likelihoods(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, held_out: Sequence[Example], settings: Dpo
) -> list[Prediction]:
    """Log-likelihood of both answers to every prompt, in nats, and the tokens of the chosen one."""
    features = []
    for pair in held_out:
        prompt = written(tokenizer, pair.fields["prompt"], ask=True)
        for side in _SIDES:
            ids = written(tokenizer, [*pair.fields["prompt"], *pair.fields[side]])
            labels = [IGNORED] * len(prompt) + ids[len(prompt) :]
            features.append(
                {"input_ids": ids[: settings.max_tokens], "labels": labels[: settings.max_tokens]}
            )
    nats = summed_losses(model, tokenizer, features, settings.evaluation_tokens)
    counts = [sum(label != IGNORED for label in feature["labels"]) for feature in features]
    return [
        {"chosen_logp": -nats[i], "rejected_logp": -nats[i + 1], "chosen_tokens": counts[i]}
        for i in range(0, len(nats), 2)
    ]


def statistics_of(said: Sequence[Prediction], reference: Sequence[Prediction], beta: float) -> Statistics:
    """What each pair adds to the metrics.

    Args:
        said: log-likelihoods by the model.
        reference: the same by what it started from.
        beta: the implicit reward is beta times the log of the ratio of the two (Rafailov et al., 2023, section 4).
    """
    likelier = [p["chosen_logp"] - p["rejected_logp"] for p in said]
    before = [p["chosen_logp"] - p["rejected_logp"] for p in reference]
    margins = [beta * (now - was) for now, was in zip(likelier, before, strict=True)]
    nats, tokens = [-p["chosen_logp"] for p in said], [float(p["chosen_tokens"]) for p in said]
    return joined(
        means(
            reward_accuracy=[_is_greater(margin) for margin in margins],
            reward_margin=margins,
            ranking_accuracy=[_is_greater(margin) for margin in likelier],
        ),
        ratios(loss=(nats, tokens)),
    )


def _is_greater(margin: float) -> float:
    return 0.5 if margin == 0 else float(margin > 0)
