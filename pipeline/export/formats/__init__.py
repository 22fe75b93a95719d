"""The formats. A new one is one file here, and one line below."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import GroundupError, nearest
from pipeline.export.formats.base import Format
from pipeline.export.formats.bitsandbytes import Nf4
from pipeline.export.formats.gguf import Gguf
from pipeline.export.formats.onnx import Onnx
from pipeline.export.formats.torchao import Int4, Int8

__all__ = ["FORMATS", "Format", "formats_named"]

FORMATS: dict[str, Format] = {
    made.name: made
    for made in (
        Onnx(),
        Gguf("gguf", "F32"),
        Gguf("gguf-q8", "Q8_0"),
        Gguf("gguf-q4", "Q4_0"),
        Int8(),
        Nf4(),
        Int4(),
    )
}
"""In the order in which they are made."""


def formats_named(names: Sequence[str]) -> list[Format]:
    """The formats of these names, each once; all where there are none.

    Raises:
        GroundupError: for an unknown name, naming the nearest right one.
    """
    for name in names:
        if name not in FORMATS:
            raise GroundupError(f"--format {name}", "there is no such format", nearest(name, FORMATS))
    return [FORMATS[name] for name in dict.fromkeys(names or FORMATS)]
