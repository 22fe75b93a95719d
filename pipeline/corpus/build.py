"""The corpus stage: rows of every source to clean, deduplicated documents in a training and a held-out part.

    intake → refine → duplicates → repeated lines → assemble

Each step is divided into tasks that read and write files, so memory does not grow with the corpus, all cores
(or machines) work, and what was done before an interruption is not done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

import numpy as np

from pipeline.artifacts import DROPPED, Artifact, write_json, write_text
from pipeline.corpus.assemble import TRAIN, VALIDATION, Assemble, Cut, shards
from pipeline.corpus.contamination import write_contaminants
from pipeline.corpus.datasheet import datasheet
from pipeline.corpus.duplicates import FindDuplicates, FindRepeatedLines, duplicates, lines_to_cut
from pipeline.corpus.intake import Intake, bad_rows, divided, plan_of
from pipeline.corpus.layout import Layout, Plan, Settled, rows_of, tallied
from pipeline.corpus.refine import Refine
from pipeline.corpus.tally import Tally
from pipeline.errors import GroundupError
from pipeline.executors import Step, run_step
from pipeline.processes import say
from pipeline.recipe import Corpus, Executor
from pipeline.sources.tolerance import passed_over


@dataclass(frozen=True)
class Builder:
    """One corpus on its way.

    Args:
        settings: sources and filters.
        held_out: share of groups in the validation part.
        seed: of the split and the order.
        executor: where the work is done.
        out: directory of the stage.
    """

    settings: Corpus
    held_out: float
    seed: int
    executor: Executor
    out: Artifact

    @property
    def layout(self) -> Layout:
        """What is done so far lies where an interrupted stage looks for it."""
        return Layout(self.out.checkpoints)

    def build(self, contaminants: Callable[[], Iterable[str]]) -> Mapping[str, Mapping[str, Any]]:
        """Write ``train/*.parquet``, ``validation/*.parquet`` and ``datasheet.md``.

        The columns are text, source, place (file and line there), licence and language.

        Args:
            contaminants: gives the texts of the tasks' held-out parts.

        Raises:
            GroundupError: when a source cannot be read, or nothing is left.
        """
        started = time.monotonic()
        parts = divided(self.settings)
        self._run("intake", Intake(self.layout, parts, self.settings, self.seed), len(parts))
        most = self.settings.skip_bad_rows
        for number, refusal in enumerate(bad_rows(self.layout, len(parts), most), start=1):
            say(passed_over("corpus", number, most, refusal))
        plan = plan_of(self.layout, len(parts), self.seed)
        self.layout.write_plan(plan)
        self._run("refine", Refine(self.layout, self.settings), len(plan.chunks))
        self._run("duplicates", FindDuplicates(self.layout, self.settings), plan.buckets)
        self._settle(plan, duplicates(self.layout))
        if self.settings.boilerplate or self.settings.repeated_passages:
            self._run("lines", FindRepeatedLines(self.layout, self.settings), plan.buckets)
            self._settle(plan, lines_to_cut(self.layout))
        if self.settings.decontaminate and not self.layout.contaminants.exists():
            write_contaminants(self.layout.contaminants, contaminants())
        self._run("assemble", Assemble(self.layout, self.settings, self._cut(plan)), len(plan.shards))
        tally = self._tally(plan)
        self._move()
        metrics = _metrics(tally, time.monotonic() - started)
        write_text(self.out.path / "datasheet.md", datasheet(self.settings, self.held_out, self.seed, tally))
        write_json(self.out.path / DROPPED, tally.samples)
        return metrics

    def _run(self, name: str, step: Step, tasks: int) -> None:
        started = time.monotonic()
        run_step(step, tasks, self.executor, self.layout.marks(name))
        say(
            f"corpus: {name}, {tasks} {'task' if tasks == 1 else 'tasks'} in {time.monotonic() - started:.0f} s"
        )

    def _settle(self, plan: Plan, kinds: Mapping[str, Settled]) -> None:
        for found in kinds.values():
            found.write(plan)

    def _cut(self, plan: Plan) -> Cut:
        """Where the held-out part ends, and how much of each source the weights leave."""
        places: list[float] = []
        sizes = dict.fromkeys(self.settings.sources, 0.0)
        left = 0
        for chunk, facts in self._facts(plan):
            left += len(facts)
            sizes[plan.chunks[chunk].source] += float(facts["characters"].sum())
            places = nsmallest(2, {*places, *np.unique(facts["position"])[:2].tolist()})
        if len(places) < 2:
            self._refuse(plan, left)
        return Cut(max(self.held_out, places[1]), shares(sizes, self.settings.weights))

    def _facts(self, plan: Plan) -> Iterator[tuple[int, Any]]:
        """Facts of the documents that are no duplicates, chunk by chunk."""
        for chunk in range(len(plan.chunks)):
            facts = np.load(self.layout.path("facts", chunk, ".npy"))
            stays = np.ones(len(facts), dtype=bool)
            for found in duplicates(self.layout).values():
                (numbers,) = found.of_chunk(chunk)
                stays[rows_of(numbers)] = False
            yield chunk, facts[stays]

    def _refuse(self, plan: Plan, left: int) -> None:
        tally = self._counted("refine", len(plan.chunks))
        raise GroundupError(
            ", ".join(self.settings.sources),
            f"{left} documents are left of {tally.read} (dropped: {tally.reasons or 'duplicates at most'}), "
            "too few to hold some out",
            "give more text, or lower --corpus.minimum-characters",
        )

    def _tally(self, plan: Plan) -> Tally:
        tally = self._counted("refine", len(plan.chunks))
        tally.add(self._counted("assemble", len(plan.shards)).values())
        for part in (TRAIN, VALIDATION):
            if not tally.documents[part]:
                raise GroundupError(
                    ", ".join(self.settings.sources),
                    f"no document is left for the {part} part (dropped: {tally.reasons})",
                    "give more text, or drop less of it",
                )
        return tally

    def _counted(self, step: str, tasks: int) -> Tally:
        tally = Tally()
        for counted in tallied(self.layout, step, tasks):
            tally.add(counted)
        return tally

    def _move(self) -> None:
        """Shards to their place; those that an interruption has left moved are there already."""
        for part in (TRAIN, VALIDATION):
            (self.out.path / part).mkdir(exist_ok=True)
            for file in shards(self.layout.output / part):
                file.replace(self.out.path / part / file.name)


def shares(sizes: Mapping[str, float], weights: tuple[float, ...]) -> dict[str, float]:
    """The share of each source that is used so that their sizes are as the weights; the scarcest is used whole.

    Raises:
        GroundupError: when nothing is left of a source that has a weight.
    """
    if not weights:
        return dict.fromkeys(sizes, 1.0)
    wanted = dict(zip(sizes, weights, strict=True))
    for source, size in sizes.items():
        if not size:
            raise GroundupError(source, "nothing is left of it, so no weight can be kept", "leave it out")
    whole = min(size / wanted[source] for source, size in sizes.items())
    return {source: whole * wanted[source] / size for source, size in sizes.items()}


def _metrics(tally: Tally, seconds: float) -> dict[str, dict[str, Any]]:
    return {
        "documents": {
            "read": tally.read,
            "kept": sum(tally.documents.values()),
            **dict(tally.dropped.most_common()),
            **{part: tally.documents[part] for part in (TRAIN, VALIDATION)},
            "seconds": seconds,
        },
        "characters": {part: tally.characters[part] for part in (TRAIN, VALIDATION)},
        "masked": dict(tally.masked),
        "lines cut": dict(tally.cut),
        "sources": dict(tally.sources),
        "languages": dict(tally.languages.most_common()),
        "lengths": tally.by_length,
    }
