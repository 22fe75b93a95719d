"""A finished model on outside yardsticks: EleutherAI's lm-evaluation-harness, on tasks whose data lie in files.

It is no stage of the chain. A stage is declared by the recipe and makes anew what it needs; this measures the model
that is there, on what the command names, and what it finds stands in the run as an artefact with a manifest.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import DETAILS, HARNESS, PREDICTIONS, Artifact, write_json, write_json_lines
from pipeline.errors import GroundupError, first_line
from pipeline.inference.finished import finished, finished_artifact, stock_model
from pipeline.processes import on_main, say, world_size
from pipeline.provenance import provenance
from pipeline.recipe import ALIGNED, Finetune
from pipeline.settings import fingerprint, from_settings

if TYPE_CHECKING:
    from pipeline.stages import Run

_BATCH = 16
"""Requests the model is given at a time."""
_WRITING = ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM")


def measure_outside(run: Run, task: str, suites: Sequence[str] = (), limit: int = 0) -> Artifact:
    """Measure a finished model by lm-eval, in place of what was measured so before.

    Args:
        run: whose model.
        task: that it was fine-tuned for, or dpo or grpo; empty takes the pre-trained one.
        suites: names of tasks and directories of YAML files; none means our own tasks.
        limit: examples of each task, the first ones; 0 takes all.

    Returns:
        ``harness/STAGE`` of the run: a row of metrics for each task.

    Raises:
        GroundupError: when lm-eval is not installed, the model is not finished or writes no text, or a task cannot be
            read or measured.
    """
    if importlib.util.find_spec("lm_eval") is None:
        raise GroundupError(
            "harness", "lm-eval is not installed", "run make setup, or pip install 'groundup[harness]'"
        )
    return on_main(lambda: _measure(run, task, suites, limit))


def measurable(run: Run, tasks: Sequence[str]) -> list[str]:
    """Those of the tasks whose model is finished and writes; of the others it is said why not."""
    found = []
    for task in tasks:
        try:
            _refuse_wordless(finished_artifact(run, task), task)
            found.append(task)
        except GroundupError as error:
            say(str(error))
    return found


def _measure(run: Run, task: str, suites: Sequence[str], limit: int) -> Artifact:
    from pipeline.inference.suites import load_suites

    measured = finished_artifact(run, task)
    _refuse_wordless(measured, task)
    stage = str(measured.manifest()["stage"])
    out = run.artifact(f"{HARNESS}/{stage}")
    with out.locked(), _quiet():
        began, started = provenance(), time.monotonic()
        share, seed = _held_out(run, measured)
        tasks, manager = load_suites(suites, run.path / HARNESS / "yardsticks", share, seed)
        say(f"{stage}: measured by lm-eval")
        model, tokenizer = _loaded(run, task, measured)
        results = _results(model, tokenizer, tasks, task_manager=manager, limit=limit or None)
        manifest = {
            "stage": f"{HARNESS}/{stage}",
            "recipe": run.recipe.name,
            "fingerprint": fingerprint(measured.fingerprint(), _asked(results)),
            "seed": seed,
            "settings": {"harness": {"suites": list(suites), "limit": limit, "held_out": share}},
            "data": [],
            "inputs": {stage: measured.fingerprint()},
            "processes": world_size(),
            **began,
            "versions": {**began["versions"], "lm_eval": results["lm_eval_version"]},
        }
        _write(out, manifest, results, time.monotonic() - started)
    say(f"→ {out.path}")
    return out


def _refuse_wordless(measured: Artifact, task: str) -> None:
    """Refuse what writes no text, before anything heavy is read."""
    from pipeline.model.published import load_config
    from pipeline.tasks import task_named

    if task and task not in ALIGNED:
        settings = from_settings(Finetune, measured.manifest()["settings"]["finetune"])
        kind = task_named(task, settings).class_for(load_config(str(measured.path)))
        if kind not in _WRITING:
            raise GroundupError(
                str(measured.path),
                f"its model is an {kind} and writes no text, so texts have no likelihood by it",
                "measure a task that writes, or the pre-trained model without --task",
            )


def _held_out(run: Run, measured: Artifact) -> tuple[float, int]:
    """Share and seed by which data were held out from the model, whatever the recipe says by now."""
    made = measured.manifest()
    corpus = run.artifact("corpus").manifest().get("settings", {})
    known = {"held_out": run.recipe.held_out, **corpus, **made["settings"]}
    return known["held_out"], made["seed"]


@contextmanager
def _quiet() -> Iterator[None]:
    """lm-eval warns of what is meant here, and once for every text that is cut."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _results(model: Any, tokenizer: Any, tasks: list[Any], **options: Any) -> Mapping[str, Any]:
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    class Local(HFLM):
        """A model in memory: nobody is asked for its revision on the Hub, and bars are for terminals."""

        def get_model_info(self) -> dict[str, Any]:
            return {}

        def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> Any:
            return super().loglikelihood(requests, disable_tqdm or no_bars)

        def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> Any:
            return super().loglikelihood_rolling(requests, disable_tqdm or no_bars)

        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> Any:
            return super().generate_until(requests, disable_tqdm or no_bars)

    no_bars = not sys.stderr.isatty()
    local = Local(model, tokenizer=tokenizer, batch_size=_BATCH)
    try:
        return lm_eval.simple_evaluate(model=local, tasks=tasks, **options)
    except (AssertionError, ValueError, KeyError, TypeError, ImportError) as error:
        names = ", ".join(getattr(one, "task_name", None) or one.name for one in tasks)
        raise GroundupError(
            f"lm-eval on {names}",
            f"it ended by {type(error).__name__}: {first_line(error)[:200]}",
            "mend that task, or leave it out",
        ) from error


def _loaded(run: Run, task: str, measured: Artifact) -> tuple[Any, Any]:
    from pipeline.model.adapters import merged

    if task and task not in ALIGNED:
        made = finished(run, task)
        # lm-eval ties weights, which those under an adapter cannot be
        model = merged(made.model) if made.task.settings.adapter.name else made.model
        return model, made.tokenizer
    return stock_model(measured)


def _asked(results: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What identifies every example that was measured: its row, its prompt, its target."""
    marks = ("doc_hash", "prompt_hash", "target_hash")
    return {task: [[one[m] for m in marks] for one in told] for task, told in results["samples"].items()}


def _write(out: Artifact, manifest: Mapping[str, Any], results: Mapping[str, Any], seconds: float) -> None:
    out.begin(manifest)
    metrics = {task: _row(task, results) for task in results["results"]}
    details = {
        task: {
            "version": results["versions"].get(task),
            "shots": results["n-shot"].get(task),
            "higher_is_better": results["higher_is_better"].get(task),
        }
        for task in metrics
    }
    write_json(out.path / DETAILS, _plain(details))
    write_json_lines(out.path / PREDICTIONS, _samples(results))
    timings = {"timings": {"seconds": round(seconds, 1)}}
    out.finish({**manifest, **timings}, {task: row for task, row in metrics.items() if row})


def _row(task: str, results: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of lm-eval under its own names, the filter in brackets where there is one, and the chance level."""
    row: dict[str, float] = {}
    for key, value in results["results"][task].items():
        metric, comma, which = key.partition(",")
        if comma and isinstance(value, int | float):
            row[metric if which == "none" else f"{metric} ({which})"] = value
    samples = results["samples"].get(task)
    if samples and results["configs"][task].get("output_type") == "multiple_choice":
        row["chance"] = sum(1 / len(one["arguments"]) for one in samples) / len(samples)
    if samples:
        row["examples"] = results["n-samples"][task]["effective"]
    return row


def _samples(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each example, what lm-eval asked, and what the model made of it."""
    for task, samples in results["samples"].items():
        for one in samples:
            numbers = {metric: one[metric] for metric in one["metrics"]}
            asked = {"asked": one["arguments"], "said": one["filtered_resps"], "target": one["target"]}
            yield _plain({"task": task, "number": one["doc_id"], **asked, **numbers})


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    from lm_eval.utils import handle_non_serializable

    return json.loads(json.dumps(value, default=handle_non_serializable))
