"""The sections of a run's page: what the files of each finished stage say."""

from pathlib import Path

from pipeline.artifacts import EXPLAIN, HARNESS, Artifact
from pipeline.report.sections.base import Section
from pipeline.report.sections.corpus import CorpusSection
from pipeline.report.sections.outside import ExplainSection, HarnessSection
from pipeline.report.sections.pretrain import PretrainSection
from pipeline.report.sections.task import TaskSection
from pipeline.report.sections.tokenizer import TokenizerSection
from pipeline.stages import method_of, task_of

__all__ = [
    "CorpusSection",
    "ExplainSection",
    "HarnessSection",
    "PretrainSection",
    "Section",
    "TaskSection",
    "section",
]

_ASIDE = {EXPLAIN: ExplainSection, HARNESS: HarnessSection}
"""By where it is in a run."""


def section(name: str, run: Path) -> Section:
    """What the files of a finished stage say.

    Args:
        name: of the stage.
        run: directory of the run.
    """
    artifact = Artifact(run / name)
    if name == "tokenizer":
        return TokenizerSection(name, artifact, run / "corpus")
    if aside := _ASIDE.get(name.partition("/")[0]):
        return aside(name, artifact)
    kinds = {"corpus": CorpusSection, "pretrain": PretrainSection}
    kind = TaskSection if task_of(name) or method_of(name) else kinds.get(name, Section)
    return kind(name, artifact)
