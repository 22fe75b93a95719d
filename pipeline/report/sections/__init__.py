"""The sections of a run's page: what the files of each finished stage say."""

from pathlib import Path

from pipeline.artifacts import HARNESS, Artifact
from pipeline.report.sections.base import Section
from pipeline.report.sections.corpus import CorpusSection
from pipeline.report.sections.outside import HarnessSection
from pipeline.report.sections.pretrain import PretrainSection
from pipeline.report.sections.task import TaskSection
from pipeline.report.sections.tokenizer import TokenizerSection
from pipeline.stages import method_of, task_of

__all__ = ["CorpusSection", "HarnessSection", "PretrainSection", "Section", "TaskSection", "section"]


def section(name: str, run: Path) -> Section:
    """What the files of a finished stage say.

    Args:
        name: of the stage.
        run: directory of the run.
    """
    artifact = Artifact(run / name)
    if name == "tokenizer":
        return TokenizerSection(name, artifact, run / "corpus")
    if name.startswith(f"{HARNESS}/"):
        return HarnessSection(name, artifact)
    kinds = {"corpus": CorpusSection, "pretrain": PretrainSection}
    kind = TaskSection if task_of(name) or method_of(name) else kinds.get(name, Section)
    return kind(name, artifact)
