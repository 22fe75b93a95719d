"""What was measured of finished models beside the stages, on the page: by lm-eval, and of explanations."""

from __future__ import annotations

from pipeline.report.faithfulness import faithfulness_verdicts
from pipeline.report.sections.base import Section
from pipeline.report.tables import interval
from pipeline.report.yardsticks import guesses


class ExplainSection(Section):
    """How far the explanations of a model can be believed."""

    @property
    def task(self) -> str:
        """What the model was fine-tuned for."""
        return self.name.partition("/")[2]

    @property
    def intervals(self) -> dict[str, dict[str, str]]:
        """What holds an area with 95 %, by method."""
        details = self.artifact.details()
        return {
            row: {area: interval(found, area) for area in found["intervals"]}
            for row, found in details.items()
        }

    @property
    def verdicts(self) -> list[str]:
        return faithfulness_verdicts(self.artifact.details())


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
