"""What the manifests and metrics of a run say about one stage: the material of its model card."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.artifacts import HARNESS, Artifact, read_json
from pipeline.model.published import PACKAGED_MODELS
from pipeline.model.special_tokens import converses
from pipeline.publish.data_sources import DataSource, data_source, hub_identifier, without_directories
from pipeline.recipe import ALIGNED, Finetune, Grpo
from pipeline.report.membership import attacked, membership_of, verdict
from pipeline.report.privacy import PRIVACY, bound
from pipeline.report.tables import MainMetric, intervals, main_metric
from pipeline.settings import from_settings
from pipeline.sources.base import REASONING_GYM
from pipeline.stages import Run, method_of, task_of
from pipeline.tasks import TASKS
from pipeline.tasks.base import Task
from pipeline.train.objectives import objective_named
from pipeline.train.objectives.base import Objective
from pipeline.train.objectives.causal import Causal

BOOKKEEPING = PRIVACY | frozenset(
    {
        "examples",
        "parameters",
        "trainable",
        "seconds",
        "steps",
        "tokens",
        "tokens_per_second",
        "mfu",
        "watt_hours",
        "co2_grams",
    }
)
"""Numbers of metrics.json that say how a row was made and not how good it is."""
_CODE = re.compile("[a-z]{2,3}")
_REPEATED = ("start", "context")
"""Settings of the tokenizer stage that are the model's."""
_SHAPE = (
    "num_hidden_layers",
    "hidden_size",
    "num_attention_heads",
    "n_layer",
    "n_embd",
    "n_head",
    "vocab_size",
)


@dataclass(frozen=True)
class Facts:
    """What the files of a run say about one stage and the stages that it stands on."""

    run: Run
    stage: str

    @property
    def artifact(self) -> Artifact:
        return self.run.artifact(self.stage)

    @cached_property
    def lineage(self) -> dict[str, dict[str, Any]]:
        """Manifests of the stages that the model really came from, the first one first, itself last."""
        found: dict[str, dict[str, Any]] = {}

        def follow(stage: str) -> None:
            manifest = self.run.artifact(stage).manifest()
            for need, mark in manifest["inputs"].items():
                if need not in found and self.run.artifact(need).fingerprint() == mark:
                    follow(need)
            found[stage] = manifest

        follow(self.stage)
        return found

    @property
    def manifest(self) -> dict[str, Any]:
        return self.lineage[self.stage]

    @cached_property
    def lost(self) -> list[str]:
        """Stages below that were made anew since, so that their files tell of another model."""
        needs = {need for manifest in self.lineage.values() for need in manifest["inputs"]}
        return sorted(needs - set(self.lineage))

    @property
    def task_name(self) -> str:
        return task_of(self.stage)

    @property
    def method(self) -> str:
        """What it was aligned by, dpo or grpo; empty for other stages."""
        return method_of(self.stage)

    @property
    def task(self) -> type[Task] | None:
        """What it was fine-tuned for; None for pre-training and aligning."""
        return TASKS.get(self.task_name)

    @property
    def objective(self) -> type[Objective]:
        """What it was pre-trained to do; of what was fine-tuned or aligned, as if that were to continue text."""
        settings = self.manifest["settings"].get("pretrain", {})
        return objective_named(settings.get("objective", Causal.name))

    @property
    def pipeline_tag(self) -> str:
        return self.task.pipeline_tag if self.task else self.objective.pipeline_tag

    @cached_property
    def config(self) -> dict[str, Any]:
        return read_json(self.artifact.path / "config.json")

    @property
    def shape(self) -> str:
        """Layers, widths and vocabulary, under the names of the configuration."""
        return ", ".join(f"{name} {self.config[name]}" for name in _SHAPE if name in self.config)

    @property
    def chats(self) -> bool:
        """Whether the model was trained on conversations."""
        template = self.artifact.path / "chat_template.jinja"
        end = read_json(self.artifact.path / "tokenizer_config.json").get("eos_token")
        return template.is_file() and converses(template.read_text("utf-8"), end)

    @cached_property
    def metrics(self) -> dict[str, dict[str, float]]:
        return self.artifact.metrics()

    @property
    def measured(self) -> dict[str, float]:
        """The quality of the model itself, by metric."""
        return {name: value for name, value in self.metrics["model"].items() if name not in BOOKKEEPING}

    @cached_property
    def intervals(self) -> dict[str, dict[str, float]]:
        """What holds a metric of the model with 95 %, ``low`` and ``high``, by metric; none where it was not drawn."""
        return self.artifact.details().get("model", {}).get("intervals", {})

    @cached_property
    def row_intervals(self) -> dict[str, str]:
        """The same of the main metric of each row, in words."""
        return intervals(self.stage, self.artifact.details())

    @property
    def energy(self) -> dict[str, float]:
        """Watt-hours that the training of the model itself took, by stage; of those that measured it."""
        return self._spent("watt_hours")

    @property
    def co2_grams(self) -> float:
        """Grams of CO₂ equivalent of these trainings; 0 where one that was measured has no such number."""
        found = self._spent("co2_grams")
        return sum(found.values()) if found and found.keys() == self.energy.keys() else 0.0

    def _spent(self, name: str) -> dict[str, float]:
        rows = {stage: self.run.artifact(stage).metrics().get("model", {}) for stage in self.lineage}
        return {stage: row[name] for stage, row in rows.items() if name in row}

    @property
    def languages(self) -> list[str]:
        """Of the recipe, and those between which it translates where they are named by their codes (ISO 639)."""
        made = self.settings.get("finetune", {}) if self.task_name == "translation" else {}
        named = [
            made.get(f"{side}_language") or made.get(f"{column}_column", "")
            for side, column in (("source", "text"), ("target", "label"))
        ]
        codes = [re.split("[_-]", name)[0] for name in named]
        return list(dict.fromkeys([self.run.recipe.language, *filter(_CODE.fullmatch, codes)]))

    @cached_property
    def outside(self) -> Artifact | None:
        """What lm-eval measured of this very model; None where it did not."""
        artifact = self.run.artifact(f"{HARNESS}/{self.stage}")
        manifest = artifact.manifest()
        this = manifest.get("complete") and manifest["inputs"][self.stage] == self.artifact.fingerprint()
        return artifact if this else None

    @property
    def yardsticks(self) -> dict[str, dict[str, float]]:
        """Its numbers by task."""
        return self.outside.metrics() if self.outside else {}

    @property
    def privacy(self) -> str:
        """The bound that its fine-tuning kept; empty where it kept none."""
        return bound(self.metrics["model"])

    @cached_property
    def membership(self) -> Artifact | None:
        """What membership inference found of this very model; None where it was not tried."""
        return membership_of(self.run, self.stage)

    @property
    def attacked(self) -> list[list[str]]:
        """A row for each attack (``pipeline.report.membership.ATTACKED_BY``)."""
        return attacked(self.membership) if self.membership else []

    @property
    def attacks_found(self) -> str:
        """What the attacks come to."""
        return verdict(self.membership.metrics(), self.membership.details()) if self.membership else ""

    @property
    def columns(self) -> list[str]:
        """Every metric of any row, in order of appearance."""
        names = {name: None for row in self.metrics.values() for name in row if name not in BOOKKEEPING}
        return list(names)

    @property
    def main_metric(self) -> str:
        return self._judged_by.name

    @property
    def _judged_by(self) -> MainMetric:
        found = main_metric(self.stage, self.measured)
        assert found, "every model is judged by something"
        return found

    @property
    def winners(self) -> dict[str, float]:
        """Rows that do at least as well as the model by the main metric, with their value of it."""
        rows = {name: row[self.main_metric] for name, row in self.metrics.items() if self.main_metric in row}
        ours = rows.pop("model", None)
        if ours is None:
            return {}
        return {
            name: value for name, value in rows.items() if value == ours or self._judged_by.beats(value, ours)
        }

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Settings of the stage and those it stands on, by section of the recipe."""
        merged: dict[str, Any] = {}
        for manifest in self.lineage.values():
            merged |= {name: value for name, value in manifest["settings"].items() if name not in _REPEATED}
        return without_directories(merged)

    @property
    def made_by(self) -> Finetune:
        """Settings of the fine-tuning; the defaults where there was none."""
        return from_settings(Finetune, self.settings.get("finetune", {}))

    @property
    def reads(self) -> bool:
        """Whether the model is an encoder-decoder."""
        return bool(self.config.get("is_encoder_decoder"))

    @property
    def brings_code(self) -> bool:
        """Whether Python code that the model is made of lies beside its weights."""
        return "auto_map" in self.config

    @property
    def prompt(self) -> str:
        """A beginning that the recipe watched the model continue."""
        return next(iter(self.settings.get("pretrain", {}).get("prompts", ())), "The")

    @property
    def start(self) -> str:
        """Published weights that training started from; empty when from random ones."""
        for manifest in reversed(self.lineage.values()):
            settings = manifest["settings"]
            named = [settings.get(group, {}).get("model") for group in (*ALIGNED, "finetune")]
            start = next(filter(None, named), "") or settings.get("model", {}).get("start")
            if start:
                return str(start)
        return ""

    @property
    def start_name(self) -> str:
        """The start as a card names it."""
        return self.base_model or without_directories(self.start)

    @property
    def below(self) -> str:
        """The stage whose model this one went on from; empty where that was a published one."""
        return next(iter(self.manifest["inputs"]), "")

    @property
    def instruction(self) -> str:
        """The system message that the model was rewarded under."""
        return from_settings(Grpo, self.settings["grpo"]).instruction if self.method == "grpo" else ""

    @property
    def base_model(self) -> str:
        """The Hub's name of the start, where it has one."""
        return PACKAGED_MODELS.get(self.start) or hub_identifier(self.start)

    @property
    def trained_on(self) -> list[tuple[str, DataSource]]:
        """Stage and source of all data below the model, each source once for a stage."""
        pairs = [(stage, data_source(spec)) for stage, m in self.lineage.items() for spec in _specs(m)]
        return list(dict.fromkeys(pairs))

    @property
    def evaluated_on(self) -> list[DataSource]:
        """Sources whose held-out part the metrics are of."""
        held_out = self.manifest["settings"].get("finetune", {}).get("eval_data")
        own = (
            [] if self.manifest["stage"] == "pretrain" else _specs(self.manifest)
        )  # a stream has no held-out part
        below = own or self.lineage.get("corpus", {}).get("data", ())
        specs = [held_out] if held_out else below
        return list(dict.fromkeys(data_source(spec) for spec in specs))

    @property
    def seconds(self) -> dict[str, float]:
        return {stage: manifest["timings"]["seconds"] for stage, manifest in self.lineage.items()}

    @property
    def signatures(self) -> dict[str, str]:
        """How the metrics were computed, where the task says it in a line (sacreBLEU's signatures)."""
        details = self.artifact.details().get("model", {})
        said = {**details, **details.get("signatures", {})}
        return {name: text for name, text in said.items() if isinstance(text, str) and "\n" not in text}


def _specs(manifest: dict[str, Any]) -> list[str]:
    """All data of a stage: what was read, and the generators of problems."""
    asked = manifest["settings"].get("grpo", {}).get("data", ())
    return [*manifest["data"], *(spec for spec in asked if spec.startswith(REASONING_GYM))]
