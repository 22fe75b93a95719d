"""What lm-eval measured, on the page."""

from __future__ import annotations

from pipeline.report.sections.base import Section
from pipeline.report.yardsticks import guesses


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
