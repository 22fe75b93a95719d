"""The corpus on the page."""

from __future__ import annotations

import itertools

from pipeline.artifacts import DROPPED, read_json
from pipeline.report.charts import bars, histogram
from pipeline.report.figures import Figure, counted, plain, shown
from pipeline.report.sections.base import Section
from pipeline.report.tables import words

_LANGUAGES = 12
"""Languages that are drawn."""


class CorpusSection(Section):
    """What was read, kept and dropped."""

    @property
    def figures(self) -> dict[str, Figure]:
        """Charts by caption, without those that there is nothing for."""
        counts = {words(name): n for name, n in self.metrics["documents"].items() if name != "seconds"}
        languages = dict(itertools.islice(self.metrics.get("languages", {}).items(), _LANGUAGES))
        return shown(
            {
                "Documents": plain(bars("Documents of the corpus", counts, highlight="kept")),
                "Languages": plain(bars("Documents by language", languages)),
                "Lengths of documents": self._lengths(),
            }
        )

    def _lengths(self) -> Figure:
        """Documents by the power of two that their characters do not reach; those between the ends may be none."""
        found = {int(name).bit_length(): n for name, n in self.metrics.get("lengths", {}).items()}
        if not found:
            return Figure({})
        powers = range(min(found), max(found) + 1)
        borders, counts = (
            [2 ** (power - 1) for power in (powers[0] - 1, *powers)],
            [found.get(p, 0) for p in powers],
        )
        drawing = histogram("Documents by their characters", borders, counts, "characters", "documents")
        return counted(drawing, ("characters from", "to below", "documents"), borders, counts)

    @property
    def dropped(self) -> dict[str, list[dict[str, str]]]:
        """The first few documents that each filter dropped."""
        file = self.artifact.path / DROPPED
        return read_json(file) if file.is_file() else {}
