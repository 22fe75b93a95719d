"""The model card, written from a run's own manifests and metrics."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers.utils import GENERATION_CONFIG_NAME

from pipeline.errors import GroundupError
from pipeline.model.scaling import resolved
from pipeline.provenance import describe_hardware
from pipeline.publish.adapters import joined_usage
from pipeline.publish.data_sources import hub_identifier, without_directories
from pipeline.publish.facts import Facts
from pipeline.publish.markdown import environment
from pipeline.publish.usage import trusting, usage
from pipeline.recipe import Recipe
from pipeline.recipe_files import load_recipe, recipe_names
from pipeline.report.membership import ATTACKED_BY
from pipeline.report.tables import columns, heading, words
from pipeline.settings import as_settings
from pipeline.stages import Run, method_of, task_of
from pipeline.tasks import task_named

_LM_EVAL = "https://github.com/EleutherAI/lm-evaluation-harness"
_HUB_METRICS = {
    "macro_f1": "f1",
    "micro_f1": "f1",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "chrf++": "chrf",
    "rouge1": "rouge",
    "rouge2": "rouge",
    "rougeL": "rouge",
}
"""The Hub's identifiers of metrics that are called otherwise here."""


def model_card(run: Run, stage: str, repo: str, base: str = "") -> str:
    """The README of a published stage: metadata with ``model-index``, then prose and tables.

    Args:
        run: the run that the stage is part of.
        stage: ``pretrain``, ``finetune/TASK`` or ``align/METHOD``, finished.
        repo: name on the Hub, ``user/name``.
        base: of an adapter that is published alone, the Hub's name of the model it stands on.

    Raises:
        GroundupError: when a file of the run is missing or damaged, or the metadata reads back changed.
    """
    facts = Facts(run, stage)
    metadata = card_metadata(facts, repo, base)
    templates = environment(Path(__file__).parent)
    templates.filters.update(number=_number, heading=heading, words=words, metrics=columns)
    body = templates.get_template("card.md.j2").render(
        facts=facts,
        attacked_by=ATTACKED_BY,
        repo=repo,
        title=repo.rpartition("/")[2],
        code=_code(facts, repo, base),
        base=base,
        command=reproduce(run.recipe, stage, facts.settings),
        hardware=describe_hardware(facts.manifest["hardware"]),
    )
    card = ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{body}")
    if card.data.to_dict() != metadata.to_dict():
        raise GroundupError(f"the card of {stage}", "its metadata reads back changed", "report this as a bug")
    return str(card)


def _code(facts: Facts, repo: str, base: str) -> str:
    whole = usage(
        repo,
        facts.task,
        facts.prompt,
        facts.chats,
        facts.made_by,
        facts.reads,
        facts.instruction,
        facts.objective.model_class,
    )
    if facts.brings_code:
        whole = trusting(whole, repo)
    if not base:
        return whole
    head = task_named(facts.task_name, facts.made_by).class_for(SimpleNamespace(**facts.config))
    generates = (facts.artifact.path / GENERATION_CONFIG_NAME).is_file()
    return joined_usage(whole, repo, base, head, generates)


def card_metadata(facts: Facts, repo: str, base: str = "") -> ModelCardData:
    """What the Hub indexes: language, task, data sets, base model and results."""
    hub_data = [hub_identifier(spec) for manifest in facts.lineage.values() for spec in manifest["data"]]
    tags = ["groundup", facts.config["model_type"], *filter(None, [facts.task_name or facts.method])]
    return ModelCardData(
        language=facts.languages[0] if len(facts.languages) == 1 else facts.languages,
        library_name="peft" if base else "transformers",
        pipeline_tag=facts.pipeline_tag,
        tags=list(dict.fromkeys(tags)),
        datasets=sorted({name for name in hub_data if name}) or None,
        base_model=base or facts.base_model or None,
        metrics=sorted({_HUB_METRICS.get(name, name) for name in facts.measured}) or None,
        model_name=repo.rpartition("/")[2],
        eval_results=[*_results(facts), *_outside_results(facts)] or None,
        **({"base_model_relation": "adapter"} if base else {}),
        **_emissions(facts),
    )


def _emissions(facts: Facts) -> dict[str, Any]:
    """What the Hub shows of CO₂, in grams; nothing where no country was named."""
    if not facts.co2_grams:
        return {}
    kind = "pre-training" if facts.stage == "pretrain" else "fine-tuning"
    return {
        "co2_eq_emissions": {
            "emissions": facts.co2_grams,
            "source": "CodeCarbon",
            "training_type": kind,
            "hardware_used": describe_hardware(facts.manifest["hardware"]),
        }
    }


def _results(facts: Facts) -> list[EvalResult]:
    sources = facts.evaluated_on
    return [
        EvalResult(
            task_type=facts.pipeline_tag,
            task_name=facts.task_name or facts.method or "language modelling",
            dataset_type=" + ".join(source.identifier for source in sources) or "local",
            dataset_name=" + ".join(source.name for source in sources) or facts.run.recipe.name,
            dataset_split="held-out",
            metric_type=_HUB_METRICS.get(name, name),
            metric_name=heading(name),
            metric_value=value,
            metric_args=_interval(facts.intervals.get(name)),
        )
        for name, value in facts.measured.items()
    ]


def _interval(ends: Mapping[str, float] | None) -> dict[str, float] | None:
    """The ends of a bootstrap interval, where model-index leaves room for what belongs to a metric."""
    return {"confidence_level": 0.95, "low": ends["low"], "high": ends["high"]} if ends else None


def _outside_results(facts: Facts) -> list[EvalResult]:
    """lm-eval's numbers, without the standard errors, which the table of the card has."""
    if not facts.outside:
        return []
    version = facts.outside.manifest()["versions"]["lm_eval"]
    return [
        EvalResult(
            task_type="text-generation",
            task_name=task,
            dataset_type=task,
            dataset_name=task,
            metric_type=name,
            metric_name=name,
            metric_value=value,
            source_name=f"lm-evaluation-harness {version}",
            source_url=_LM_EVAL,
        )
        for task, row in facts.yardsticks.items()
        for name, value in row.items()
        if name not in ("chance", "examples") and "_stderr" not in name
    ]


def reproduce(recipe: Recipe, stage: str, settings: Mapping[str, Any]) -> str:
    """The command that makes the stage again, with every setting that differs from the recipe's own."""
    packaged = recipe.name in recipe_names()
    declared = resolved(load_recipe(recipe.name)) if packaged else recipe
    task = task_of(stage)
    plain = without_directories(as_settings(declared))
    own = {**plain, "finetune": plain["tasks"].get(task or "chat")}
    verb = ["finetune", "--task", task] if task else ["align" if method_of(stage) else "pretrain"]
    if method_of(stage) and "finetune" in settings and "chat" not in plain["tasks"]:
        verb += ["--task", "chat"]  # which declares it
    words = ["groundup", *verb, "--recipe", recipe.name if packaged else f"{recipe.name}.py"]
    for section, value in settings.items():
        # what is aligned stands on what was fine-tuned for chat
        name = "tasks.chat" if section == "finetune" and not task else section
        words += _flags(name, value, own.get(section))
    return shlex.join(words)


def _flags(name: str, value: Any, declared: Any) -> list[str]:
    """A setting as the command line spells it, or nothing where the recipe says the same."""
    if isinstance(value, dict):
        known = declared if isinstance(declared, dict) else {}
        return [w for key, entry in value.items() for w in _flags(f"{name}.{key}", entry, known.get(key))]
    if value == declared:
        return []
    name = name.replace("_", "-")
    if isinstance(value, bool):
        section, _, setting = name.rpartition(".")
        return [f"--{section}.{setting}" if value else f"--{section}.no-{setting}"]
    return [f"--{name}", *map(str, value)] if isinstance(value, list) else [f"--{name}", str(value)]


def _number(value: float | None) -> str:
    """A number in four significant digits, whole ones in full; a dash where a row has no such metric."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
