"""Training and then publishing: what the push needs is asked for before the first stage begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from pipeline.errors import GroundupError
from pipeline.processes import on_main

if TYPE_CHECKING:
    from pipeline.publish.hub import Destination
    from pipeline.stages import Run


@dataclass(frozen=True)
class Push:
    """What verbs that train take beside."""

    push: str = ""
    """When all is done, publish the model of --task as user/name on the Hub; whether it may be is asked before."""
    push_checkpoints: bool = False
    """Push the model of each checkpoint too, while the training goes on; what the Hub refuses then does not end it."""
    public: bool = False
    """Let everybody read it; without this a new repository is private, and one that is public is refused."""


class Choice(Protocol):
    """Where the task that was named stands."""

    @property
    def task(self) -> str: ...


C = TypeVar("C", bound=Choice)
Work = Callable[[C, "Run", Push], None]


def pretrained(run: Run) -> str:
    """What is published where no task is named: the pre-trained model."""
    return ""


def aligned(run: Run) -> str:
    """What is published where no task is named: the one aligned model.

    Raises:
        GroundupError: when there are two.
    """
    from pipeline.stages import method_of

    methods = list(filter(None, map(method_of, run.stages())))
    if len(methods) > 1:
        raise GroundupError("--push", "a repository holds one model", "name dpo or grpo with --task")
    return next(iter(methods), "")


def pushing(otherwise: Callable[[Run], str] = pretrained) -> Callable[[Work[C]], Work[C]]:
    """Decorator of a verb's work, after which a model is published where that is asked for.

    Args:
        otherwise: which one, where no task is named.
    """

    def decorated(work: Work[C]) -> Work[C]:
        def both(common: C, run: Run, push: Push) -> None:
            if not push.push:
                if push.push_checkpoints:
                    raise GroundupError("--push-checkpoints", "it says not where to", "add --push user/name")
                return work(common, run, push)
            from pipeline.publish.hub import Destination, check_ahead, publish

            task = common.task or otherwise(run)
            to = Destination(push.push, push.public)
            on_main(lambda: check_ahead(run, task, to.repo, to.public))
            work(common, _followed(run, task, to) if push.push_checkpoints else run, push)
            return on_main(lambda: publish(run, task, to, dry_run=False))

        return both

    return decorated


def _followed(run: Run, task: str, to: Destination) -> Run:
    """The run, whose training that will be published pushes its checkpoints.

    Raises:
        GroundupError: for what is aligned.
    """
    from pipeline.publish.checkpoints import PushCheckpoints
    from pipeline.stages import method_of

    stage = run.stage_of(task) if task else "pretrain"
    if method_of(stage):
        raise GroundupError("--push-checkpoints", f"checkpoints of {task} are not pushed", "leave it out")
    name = f"{run.recipe.name}: {stage}"
    return replace(run, followers={stage: lambda tokenizer: PushCheckpoints(to, name, tokenizer)})
