"""Weights in 4 bits by bitsandbytes, on processors and GPUs: NF4, the layout of QLoRA (Dettmers et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.export.formats.base import Format
from pipeline.export.formats.torchao import load_quantised, refuse_without_linear, write_quantised

if TYPE_CHECKING:
    from pipeline.export.original import Original


class Nf4(Format):
    """Linear layers in 4 bits, their constants in 8; embeddings, the output layer, heads and norms stay as they are."""

    name = "nf4"
    packages: ClassVar[Mapping[str, str]] = {"bitsandbytes": "bitsandbytes"}

    def check(self, original: Original) -> None:
        """Models with linear layers."""
        refuse_without_linear(self.name, original)

    def write(self, original: Original, directory: Path, texts: Sequence[str]) -> None:
        """Load the original in 4 bits, and save that."""
        from pipeline.model.adapters import four_bits

        loading = {"dtype": "float32", **four_bits(original.model)}
        write_quantised(self.name, original, directory, loading)

    def model(self, directory: Path, head: str) -> Any:
        """As anybody loads it."""
        return load_quantised(directory, head)
