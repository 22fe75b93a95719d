"""Pre-training on the page."""

from __future__ import annotations

from pipeline.report.figures import Figure, curves, shown
from pipeline.report.sections.base import Section

_TIMES = 4
"""Measurements during training whose samples are shown."""


class PretrainSection(Section):
    """How the language model learned."""

    @property
    def figures(self) -> dict[str, Figure]:
        """Charts by caption, without those that there is nothing for."""
        loss = {"training": self.curve("loss"), "held-out": self.curve("eval_loss")}
        rivals = {
            row: values["bits_per_byte"]
            for row, values in self.metrics.items()
            if row != "model" and "bits_per_byte" in values
        }
        bits = {"model": self.curve("bits_per_byte")}
        drawn = {
            "Loss": curves("Loss", loss, "nats per token"),
            "Held-out text": curves("Bits per byte", bits, "bits per byte", rivals),
        }
        return {**shown(drawn), **self.training_figures([""])}

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
