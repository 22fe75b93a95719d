"""The sections of a run's page: what the files of each finished stage say."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.artifacts import DROPPED, HARNESS, LOG, PREDICTIONS, Artifact, read_json
from pipeline.report.charts import Drawing, Points, bars, lines, matrix
from pipeline.report.privacy import bound
from pipeline.report.tables import ABSENT, columns, heading, main_metric, number, verdicts, words
from pipeline.report.yardsticks import guesses
from pipeline.stages import method_of, task_of

_EXAMPLES = 5
_RIGHT = 3
"""Right predictions among the examples, where there are enough of both kinds."""
_LONGEST = 600
"""Characters of a field of an example; what follows is cut."""
_LANGUAGES = 12
"""Languages of the corpus that are drawn."""
_TIMES = 4
"""Measurements during training whose samples are shown."""


@dataclass(frozen=True)
class Shown:
    """One held-out example and what the model said of it."""

    fields: dict[str, str]
    place: str
    correct: bool | None
    """None where the task has no notion of right and wrong."""


@dataclass(frozen=True)
class Section:
    """A finished stage: what its files say."""

    name: str
    artifact: Artifact

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return self.artifact.manifest()

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return self.artifact.metrics()

    @cached_property
    def log(self) -> list[dict[str, Any]]:
        from pipeline.train.watching.log import read_log

        return read_log(self.artifact.path / LOG)

    @property
    def model(self) -> dict[str, Any]:
        """Metrics of the model itself."""
        return self.metrics.get("model", {})

    @property
    def verdicts(self) -> list[str]:
        return [words(sentence) for sentence in verdicts(self.name, self.metrics, self.artifact.details())]

    @property
    def seconds(self) -> float:
        return self.manifest["timings"]["seconds"]

    def curve(self, quantity: str, run: str = "") -> Points:
        """A logged quantity by step, of one of several trainings where the log holds several."""
        entries = [entry for entry in self.log if quantity in entry and entry.get("run", "") == run]
        return [(entry["step"], entry[quantity]) for entry in entries]


class CorpusSection(Section):
    """What was read, kept and dropped."""

    @property
    def charts(self) -> dict[str, Drawing]:
        """Charts by caption, without those that there is nothing for."""
        counts = {words(name): n for name, n in self.metrics["documents"].items() if name != "seconds"}
        languages = self.metrics.get("languages", {})
        lengths = {f"below {int(name):,}": n for name, n in self.metrics.get("lengths", {}).items()}
        drawn = {
            "Documents": bars("Documents of the corpus", counts, highlight="kept"),
            "Languages": bars("Documents by language", dict(itertools.islice(languages.items(), _LANGUAGES))),
            "Lengths": bars("Documents by their characters", lengths),
        }
        return {caption: chart for caption, chart in drawn.items() if chart}

    @property
    def dropped(self) -> dict[str, list[dict[str, str]]]:
        """The first few documents that each filter dropped."""
        file = self.artifact.path / DROPPED
        return read_json(file) if file.is_file() else {}


class PretrainSection(Section):
    """How the language model learned."""

    @property
    def charts(self) -> dict[str, Drawing]:
        """Charts by caption, without those that there is nothing for."""
        loss = {"training": self.curve("loss"), "held-out": self.curve("eval_loss")}
        rivals = {
            row: values["bits_per_byte"]
            for row, values in self.metrics.items()
            if row != "model" and "bits_per_byte" in values
        }
        bits = {"model": self.curve("bits_per_byte")}
        pace = {"training": self.curve("tokens_per_second")}
        utilisation = {"training": self.curve("mfu")}
        drawn = {
            "Loss": lines("Loss by step", loss, "step", "nats per token"),
            "Held-out text": lines("Bits per byte by step", bits, "step", "bits per byte", rivals),
            "Throughput": lines("Throughput by step", pace, "step", "tokens per second"),
            "Model FLOPs utilisation": lines("Utilisation by step", utilisation, "step", "share of the peak"),
        }
        return {caption: chart for caption, chart in drawn.items() if chart}

    @property
    def samples(self) -> dict[str, list[tuple[int, str]]]:
        """Step and continuation by prompt, at a few steps spread over the training."""
        measured = [entry for entry in self.log if entry.get("samples")]
        last = len(measured) - 1
        chosen = sorted({round(last * place / (_TIMES - 1)) for place in range(_TIMES)}) if measured else []
        told: dict[str, list[tuple[int, str]]] = {}
        for entry in (measured[place] for place in chosen):
            for sample in entry["samples"]:
                told.setdefault(sample["prompt"], []).append((entry["step"], sample["text"]))
        return told


class TaskSection(Section):
    """A fine-tuned model beside its rivals, or an aligned one beside itself before."""

    @property
    def title(self) -> str:
        return self.name.partition("/")[2]

    @property
    def charts(self) -> dict[str, Drawing]:
        """Charts by caption, without those that there is nothing for."""
        loss = {words(row): self.curve("loss", row) for row in ("model", "from_scratch")}
        reward = {"sampled answers": self.curve("reward", "model")}
        drawn = {
            "Training loss": lines(f"Training loss, {self.title}", loss, "step", "loss"),
            "Reward in training": lines(f"Reward, {self.title}", reward, "step", "mean reward"),
        }
        if metric := main_metric(self.name, columns(self.metrics)):
            scores = {words(r): row[metric.name] for r, row in self.metrics.items() if metric.name in row}
            name = words(metric.name)
            better = "lower" if metric.lower_is_better else "higher"
            drawn = {
                f"{heading(metric.name)} on held-out examples ({better} is better)": bars(
                    f"{name}, {self.title}", scores, highlight="model"
                ),
                **drawn,
            }
        if {"per_class", "confusion"} <= set(self.details):
            names, counts = list(self.details["per_class"]), self.details["confusion"]
            drawn["Confusion on held-out examples"] = matrix(f"Confusion, {self.title}", names, counts)
        return {caption: chart for caption, chart in drawn.items() if chart}

    @cached_property
    def details(self) -> dict[str, Any]:
        """What the task says of the model beside numbers, by name."""
        return self.artifact.details().get("model", {})

    @property
    def facts(self) -> dict[str, Any]:
        """Details that fit in a line each: how metrics were computed, and counts."""
        parts = [value if name == "signatures" else {name: value} for name, value in self.details.items()]
        return {n: v for part in parts for n, v in part.items() if isinstance(v, int | float) or _is_line(v)}

    @property
    def reports(self) -> dict[str, Any]:
        """The other details: text of several lines, a per-class report, a confusion matrix."""
        kept = {n: v for n, v in self.details.items() if n not in self.facts and n != "signatures"}
        if {"per_class", "confusion"} <= set(kept):
            names = [f"predicted {name}" for name in kept["per_class"]]
            rows = zip(kept["per_class"], kept["confusion"], strict=True)
            kept["confusion"] = {f"true {name}": dict(zip(names, row, strict=True)) for name, row in rows}
        parts = {name: value for name, value in kept.items() if _is_row(value)}
        others = {name: value for name, value in kept.items() if name not in parts}
        return {**({"parts": parts} if parts else {}), **others}

    @property
    def bound(self) -> str:
        """The bound on privacy that its training kept; empty where it kept none."""
        return bound(self.model)

    @property
    def examples(self) -> list[Shown]:
        """A few predictions: the first right and wrong ones where they say which they are, else the first."""
        from pipeline.train.watching.log import read_log

        rows = [_shown(row) for row in read_log(self.artifact.path / PREDICTIONS)]
        wrong = [row for row in rows if row.correct is False]
        right = [row for row in rows if row.correct][: max(_RIGHT, _EXAMPLES - len(wrong))]
        return ([*right, *wrong] or rows)[:_EXAMPLES]


class HarnessSection(Section):
    """What lm-eval measured of a model."""

    @property
    def measured(self) -> str:
        """The stage whose model it is."""
        return self.name.partition("/")[2]

    @property
    def version(self) -> str:
        return self.manifest["versions"]["lm_eval"]

    @property
    def verdicts(self) -> list[str]:
        return guesses(self.metrics)


def section(name: str, artifact: Artifact) -> Section:
    """What the files of a finished stage say."""
    kinds = {"corpus": CorpusSection, "pretrain": PretrainSection}
    if name.startswith(f"{HARNESS}/"):
        return HarnessSection(name, artifact)
    kind = TaskSection if task_of(name) or method_of(name) else kinds.get(name, Section)
    return kind(name, artifact)


def _shown(row: Mapping[str, Any]) -> Shown:
    fields = {
        name: _readable(value) for name, value in row.items() if name not in ("place", "group", "correct")
    }
    correct = bool(row["correct"]) if "correct" in row else None
    return Shown(fields, str(row.get("place", "")), correct)


def _readable(value: Any) -> str:
    """A field of an example as text a person reads: turns of a talk and likely answers one a line, long ones cut."""
    if _holds(value, "role", "content"):
        value = "\n".join(f"{turn['role']}: {turn['content']}" for turn in value)
    elif _holds(value, "text", "probability"):
        value = "\n".join(f"{number(said['probability'])}: {said['text'] or ABSENT}" for said in value)
    text = number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _holds(value: Any, *names: str) -> bool:
    """Whether it is a list of objects that all have these entries."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and set(names) <= set(entry) for entry in value)
    )


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and "\n" not in value


def _is_row(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(entry, int | float) for entry in value.values())
