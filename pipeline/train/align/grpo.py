"""Reinforcement learning with verifiable rewards: answers to problems, checked, through TRL's GRPOTrainer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipeline.artifacts import Artifact
from pipeline.evaluate.predict import generate_texts
from pipeline.evaluate.statistics import Statistics, means
from pipeline.model.messages import Message
from pipeline.model.turns import written
from pipeline.processes import say
from pipeline.recipe import Grpo, Watch
from pipeline.tasks.base import Prediction
from pipeline.train.align.bench import Bench, Metrics
from pipeline.train.align.problems import Problem, read_problems


def grpo(settings: Grpo, start: str, seed: int, out: Artifact, watch: Watch = Watch()) -> Metrics:  # noqa: B008
    """Tune a model by what its answers are worth, and measure it on held-out problems before and after.

    Args:
        settings: problems and training settings.
        start: a path, a Hub name or package:NAME.
        seed: of problems, split, order, sampling and bootstrap.
        out: directory of the stage.
        watch: where training is told.

    Returns:
        Rows ``model`` and ``before``: ``accuracy``, the share of problems whose greedy answer is right; ``reward``,
        what greedy answers are worth on average, which some checkers give to partly right ones too.
    """
    train, held_out = read_problems(settings, seed)
    say(f"grpo: {len(train)} problems to train on, {len(held_out)} held out")
    prompts = [_asked(settings, problem) for problem in (*train, *held_out)]
    bench = Bench.opened("grpo", settings, start, seed, out, watch, 0)
    longest = max(len(written(bench.tokenizer, prompt, ask=True)) for prompt in prompts)
    bench = bench.with_longest(longest + settings.max_new_tokens)

    def measure(model: PreTrainedModel) -> list[Prediction]:
        return answers(model, bench.tokenizer, held_out, settings)

    return bench.run(
        [problem.example for problem in held_out],
        measure,
        lambda model: trainer(bench, model, train),
        lambda said, _: statistics_of(said),
    )


def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    held_out: Sequence[Problem],
    settings: Grpo,
) -> list[Prediction]:
    """The greedy answer to every problem, and what it is worth."""
    ids = [written(tokenizer, _asked(settings, problem), ask=True) for problem in held_out]
    replies = generate_texts(model, tokenizer, ids, settings.max_new_tokens, settings.evaluation_tokens)
    return [
        {"prediction": reply, "reward": problem.reward(reply)}
        for reply, problem in zip(replies, held_out, strict=True)
    ]


def statistics_of(said: Sequence[Prediction]) -> Statistics:
    """What each answer adds to the metrics."""
    rewards = [p["reward"] for p in said]
    return means(accuracy=[float(reward >= 1) for reward in rewards], reward=rewards)


def _asked(settings: Grpo, problem: Problem) -> list[Message]:
    system = [{"role": "system", "content": settings.instruction}] if settings.instruction else []
    return [*system, {"role": "user", "content": problem.question}]


def trainer(bench: Bench, model: PreTrainedModel, train: Sequence[Problem]) -> Any:
    """TRL's Trainer, which samples the answers and asks for what each is worth."""
    import datasets
    from trl import GRPOConfig, GRPOTrainer

    settings = bench.settings
    assert isinstance(settings, Grpo)
    chosen = list(train)
    random.Random(bench.seed).shuffle(chosen)

    def worth(completions: Sequence[Any], number: Sequence[int], **_: Any) -> list[float]:
        return [chosen[n].reward(said[0]["content"]) for n, said in zip(number, completions, strict=True)]

    rows = [
        {"prompt": bench.harmless(_asked(settings, problem)), "number": number}
        for number, problem in enumerate(chosen)
    ]
    datasets.disable_progress_bars()
    return GRPOTrainer(
        model,
        reward_funcs=worth,
        args=bench.arguments(
            GRPOConfig,
            num_generations=settings.generations,
            max_completion_length=settings.max_new_tokens,
            temperature=settings.temperature,
            beta=0.0,  # no pull towards the start, and so no second model
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=bench.tokenizer,
    )
