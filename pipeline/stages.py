"""The chain: which stage needs which, and whether to skip, resume or run it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Artifact, read_json, write_json
from pipeline.errors import GroundupError, nearest
from pipeline.launch import check_launch
from pipeline.model import history
from pipeline.model.scaling import resolved
from pipeline.processes import on_main, say, world_size
from pipeline.provenance import provenance
from pipeline.recipe import ALIGNED, Dpo, Finetune, Grpo, Recipe
from pipeline.settings import as_settings, fingerprint
from pipeline.startup import work_ended

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from pipeline.train.trainer import Follower

_FINETUNE, _ADAPTERS, _ALIGN = "finetune/", "adapters/", "align/"
_DECONTAMINATED = "decontaminated.json"

Metrics = Mapping[str, Mapping[str, Any]]
"""One object for each row of a stage's table, numbers only."""


def stage_of(task: str, settings: Finetune | None = None) -> str:
    """The stage that fine-tunes for a task, one for each adapter with a name; or that of dpo or grpo."""
    if task in ALIGNED:
        return f"{_ALIGN}{task}"
    name = settings.adapter.name if settings else ""
    return f"{adapters_of(task)}/{name}" if name else f"{_FINETUNE}{task}"


def adapters_of(task: str) -> str:
    """Where the adapters with names of a task are, in the directory of a run."""
    return f"{_ADAPTERS}{task}"


def task_of(stage: str) -> str:
    """The task that a stage fine-tunes for; none for other stages."""
    if stage.startswith(_ADAPTERS):
        return stage.removeprefix(_ADAPTERS).rpartition("/")[0]
    return stage.removeprefix(_FINETUNE) if stage.startswith(_FINETUNE) else ""


def method_of(stage: str) -> str:
    """What a stage aligns by, dpo or grpo; none for other stages."""
    return stage.removeprefix(_ALIGN) if stage.startswith(_ALIGN) else ""


@dataclass(frozen=True)
class Stage:
    """A function of its settings and the artefacts before it to one directory."""

    name: str
    needs: tuple[str, ...]
    settings: dict[str, Any]
    """All that the result depends on beside the stages before it."""
    work: Callable[[Artifact], Metrics]
    data: tuple[str, ...] = ()
    """Sources it reads; what they hold is part of the fingerprint."""
    start: str = ""
    """Published weights it begins with."""
    every_process: bool = False
    """Whether all processes take part (training) or the first one works and the others wait."""
    check: Callable[[], None] = lambda: None
    """Raises what would fail here, asked before the stages that it needs begin."""


@dataclass(frozen=True)
class Run:
    """One recipe in one runs directory."""

    declared: Recipe
    """As a person wrote it: with names on the dial, and zeros where settings follow from the size."""
    runs: Path
    callbacks: tuple[TrainerCallback, ...] = ()
    """What pre-training calls beside its own. They are in no fingerprint: they watch or stop, and change nothing."""
    followers: Mapping[str, Follower] = field(default_factory=dict)
    """By stage what follows its training, made of its tokenizer; of tasks that of the model, not the comparison's."""

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with plain numbers (pipeline/model/scaling.py), so that a fingerprint is of all that matters."""
        return resolved(self.declared)

    @property
    def path(self) -> Path:
        return self.runs / self.recipe.name

    def artifact(self, stage: str) -> Artifact:
        """The directory of a stage, finished or not."""
        return Artifact(self.path / stage)

    def stage_of(self, task: str) -> str:
        """The stage that fine-tunes for a task, with the adapter that the recipe names; or dpo's or grpo's."""
        return stage_of(task, self.recipe.tasks.get(task))

    def stages(self) -> dict[str, Stage]:
        """Every stage that the recipe declares, in order."""
        return {stage.name: stage for stage in _declared(self)}

    def fingerprint(self, stage: Stage) -> str:
        """Of the stage's settings, the content of its data and the stages before it."""
        from pipeline.sources.identity import identity

        before = [self.fingerprint(self.stages()[name]) for name in stage.needs]
        return fingerprint(stage.name, stage.settings, [identity(spec) for spec in stage.data], before)

    def is_finished(self, name: str) -> bool:
        """Whether a stage that the recipe declares is done, with the settings and data as they are now."""
        return self.artifact(name).is_complete(self.fingerprint(self.stages()[name]))

    def finish(self, name: str) -> Artifact:
        """Bring a stage, and first those it needs, to its end; what is finished already is not done again.

        Raises:
            GroundupError: for a stage that the recipe does not declare, or whatever the stage raises.
        """
        chain = self.chain(name)
        on_main(lambda: _check_ahead(self, chain))
        for stage in chain:
            _finish(self, stage)
        return self.artifact(name)

    def chain(self, name: str) -> list[Stage]:
        """A stage after all that it needs, each once, in order.

        Raises:
            GroundupError: for a stage that the recipe does not declare.
        """
        stages = self.stages()
        if name not in stages:
            raise GroundupError(
                f"recipe '{self.recipe.name}'", f"it declares no stage '{name}'", nearest(name, stages)
            )
        return _chain(stages, name)


def _chain(stages: Mapping[str, Stage], name: str) -> list[Stage]:
    """A stage after all that it needs, each once."""
    before = [stage for need in stages[name].needs for stage in _chain(stages, need)]
    return [*{stage.name: stage for stage in before}.values(), stages[name]]


def _check_ahead(run: Run, chain: Sequence[Stage]) -> None:
    """Refuse what a later stage would, unless that stage is done and will not run."""
    for stage in chain:
        try:
            stage.check()
        except GroundupError:
            if not run.is_finished(stage.name):
                raise


def _finish(run: Run, stage: Stage) -> None:
    artifact = run.artifact(stage.name)
    with ExitStack() as held:
        manifest = on_main(lambda: _begin(run, stage, artifact, held))
        if manifest is None:
            return
        started = time.monotonic()
        metrics = stage.work(artifact) if stage.every_process else on_main(lambda: stage.work(artifact))
        seconds = round(time.monotonic() - started, 1)
        on_main(lambda: artifact.finish({**manifest, "timings": {"seconds": seconds}}, metrics))
    work_ended()
    say(f"{stage.name}: finished in {seconds:.0f} s → {artifact.path}")


def _begin(run: Run, stage: Stage, artifact: Artifact, held: ExitStack) -> dict[str, Any] | None:
    """Lock the stage's directory and make it ready; None when its result is there already."""
    mark = run.fingerprint(stage)
    if artifact.is_complete(mark):
        say(f"{stage.name}: done before, nothing to do ({artifact.path})")
        return None
    held.enter_context(artifact.locked())
    resumed = artifact.fingerprint() == mark and artifact.checkpoints.is_dir()
    say(f"{stage.name}: {'goes on where it was cut off' if resumed else 'starts'}")
    before = artifact.manifest().get("processes", world_size())
    if resumed and stage.every_process and before != world_size():
        say(
            f"{stage.name}: processes are {world_size()}, and were {before}: global batches stay, and what comes is "
            "what was not yet seen; sums are rounded in another order and dropout is drawn anew, so the weights "
            "are nearly those of before and not bit for bit"
        )
    manifest = {
        "stage": stage.name,
        "recipe": run.recipe.name,
        "fingerprint": mark,
        "seed": run.recipe.seed,
        "settings": as_settings(stage.settings),
        "data": list(stage.data),
        "revisions": _revisions(stage),
        "inputs": {need: run.artifact(need).fingerprint() for need in stage.needs},
        "processes": world_size(),
        **provenance(),
    }
    artifact.begin(manifest)
    return manifest


def _revisions(stage: Stage) -> dict[str, str]:
    """The commits of what a stage reads from the Hub, by name."""
    from pipeline.sources.identity import revision

    found = {spec: revision(spec) for spec in stage.data}
    if stage.start:
        from pipeline.model.published import revision_of

        found[stage.start] = revision_of(stage.start)
    return {name: commit for name, commit in found.items() if commit}


def _declared(run: Run) -> Iterator[Stage]:
    recipe = run.recipe
    trains = recipe.pretrain.steps > 0
    if trains:
        yield _corpus(run)
        yield _tokenizer(run)
    yield _pretrain(run, needs=("corpus", "tokenizer") if trains else ())
    for task, settings in recipe.tasks.items():
        yield _finetune(run, task, settings)
    if recipe.dpo.data:
        yield _align(run, "dpo", recipe.dpo)
    if recipe.grpo.data:
        yield _align(run, "grpo", recipe.grpo)


def _corpus(run: Run) -> Stage:
    def work(out: Artifact) -> Metrics:
        from pipeline.corpus.build import Builder
        from pipeline.train.data.examples import held_out_texts

        builder = Builder(recipe.corpus, recipe.held_out, recipe.seed, recipe.executor, out)
        metrics = builder.build(lambda: held_out_texts(recipe.tasks, recipe.held_out, recipe.seed))
        write_json(out.path / _DECONTAMINATED, _held_out_data(recipe) if recipe.corpus.decontaminate else {})
        return metrics

    recipe = run.recipe
    settings = {"seed": recipe.seed, "held_out": recipe.held_out, "corpus": recipe.corpus}
    return Stage("corpus", (), settings, work, data=recipe.corpus.sources)


def _held_out_data(recipe: Recipe) -> dict[str, str]:
    """What the held-out part of every task is from, in short."""
    return {task: _data_mark(settings) for task, settings in recipe.tasks.items()}


def _data_mark(settings: Finetune) -> str:
    from pipeline.sources.identity import identity

    return fingerprint([identity(spec) for spec in (settings.data, settings.eval_data) if spec])


def _note_contamination(run: Run, task: str) -> None:
    """Say when the corpus was made before this task's data was known: changed task data redo no corpus."""
    file = run.artifact("corpus").path / _DECONTAMINATED
    if file.is_file() and read_json(file).get(task) != _data_mark(run.recipe.tasks[task]):
        say(f"{task}: text that the model was pre-trained on was not searched for this held-out part")


def _tokenizer(run: Run) -> Stage:
    def work(out: Artifact) -> Metrics:
        from pipeline.tokenizer.build import build_tokenizer

        return build_tokenizer(run.recipe, run.artifact("corpus").path, out)

    recipe = run.recipe
    settings = {
        "seed": recipe.seed,
        "tokenizer": recipe.tokenizer,
        "start": recipe.model.start,
        "context": recipe.model.context,
    }
    return Stage("tokenizer", ("corpus",), settings, work)


def _pretrain(run: Run, needs: tuple[str, ...]) -> Stage:
    def work(out: Artifact) -> Metrics:
        from pipeline.train.pretrain import pretrain

        tokenizer, follower = run.artifact("tokenizer").path, run.followers.get("pretrain")
        return pretrain(run.recipe, tokenizer, out, run.callbacks, follower)

    recipe = run.recipe
    settings = {"seed": recipe.seed, "model": recipe.model, "pretrain": recipe.pretrain}
    return Stage(
        "pretrain",
        needs,
        settings,
        work,
        data=recipe.pretrain.stream.sources,
        start=recipe.model.start,
        every_process=True,
        check=lambda: _check_pretraining(recipe),
    )


def _check_pretraining(recipe: Recipe) -> None:
    check_launch("pretrain", recipe.pretrain)
    if not recipe.pretrain.is_causal:  # which has nothing more to be checked, and torch is slow to import
        from pipeline.train.objectives import check_objective

        check_objective(recipe)


def _finetune(run: Run, task: str, settings: Finetune) -> Stage:
    def work(out: Artifact) -> Metrics:
        from pipeline.train.finetune import finetune

        _note_contamination(run, task)
        start = settings.model or str(run.artifact("pretrain").path)
        follower = run.followers.get(stage_of(task, settings))
        recipe = run.recipe
        return finetune(task, settings, start, recipe.held_out, recipe.seed, out, recipe.watch, follower)

    recipe = run.recipe
    return Stage(
        name=stage_of(task, settings),
        needs=() if settings.model else ("pretrain",),
        settings={"seed": recipe.seed, "held_out": recipe.held_out, "finetune": settings},
        work=work,
        data=tuple(spec for spec in (settings.data, settings.eval_data) if spec),
        start=settings.model,
        every_process=True,
        check=lambda: _check_finetuning(recipe, task, settings),
    )


def _check_finetuning(recipe: Recipe, task: str, settings: Finetune) -> None:
    check_launch(f"tasks.{task}", settings)
    if not settings.model:
        check_own_model(recipe, task, settings)


def check_own_model(recipe: Recipe, task: str, settings: Finetune) -> None:
    """Refuse a task that the recipe's own model cannot be fine-tuned for.

    Raises:
        GroundupError: naming what it is and what could.
    """
    if not recipe.model.start:
        history.refuse_counts(recipe.model.family, f"task '{task}'")
    if not recipe.pretrain.is_causal:
        from pipeline.tasks import task_named
        from pipeline.train.objectives import check_writing

        check_writing(recipe, task_named(task, settings).class_for)


def _align(run: Run, method: str, settings: Dpo | Grpo) -> Stage:
    from pipeline.sources.base import REASONING_GYM

    recipe = run.recipe
    chat = recipe.tasks.get("chat")
    own = run.stage_of("chat") if chat else "pretrain"

    def work(out: Artifact) -> Metrics:
        from pipeline.train.align.dpo import dpo
        from pipeline.train.align.grpo import grpo

        start = settings.model or str(run.artifact(own).path)
        if isinstance(settings, Dpo):
            return dpo(settings, start, recipe.held_out, recipe.seed, out, recipe.watch)
        return grpo(settings, start, recipe.seed, out, recipe.watch)

    def check() -> None:
        from pipeline.train.align.bench import check_trl
        from pipeline.train.align.dpo import read_pairs
        from pipeline.train.align.problems import read_problems

        check_trl()
        if not settings.model and not recipe.pretrain.is_causal:
            from pipeline.train.objectives import check_writing

            check_writing(recipe, lambda config: "AutoModelForCausalLM")
        if chat and chat.adapter.method != "none" and not settings.model:
            raise GroundupError(
                f"--{method}.model",
                "the recipe's chat model is an adapter, and whole weights are aligned",
                "name a model that it was merged into (groundup merge), or train chat without an adapter",
            )
        if isinstance(settings, Dpo):
            read_pairs(settings, recipe.held_out, recipe.seed)
        else:
            read_problems(settings, recipe.seed)

    named = (settings.data,) if isinstance(settings, Dpo) else settings.data
    return Stage(
        name=stage_of(method),
        needs=() if settings.model else (own,),
        settings={"seed": recipe.seed, "held_out": recipe.held_out, method: settings},
        work=work,
        data=tuple(spec for spec in named if not spec.startswith(REASONING_GYM)),
        start=settings.model,
        every_process=True,
        check=check,
    )
