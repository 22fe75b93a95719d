"""Weights in 8 or 4 bits by torchao: what is computed with stays in float, and transformers loads it by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import transformers

from pipeline.errors import GroundupError, first_line
from pipeline.export.formats.base import Format

if TYPE_CHECKING:
    from pipeline.export.original import Original

_GROUP = 64
"""Weights that share a scale in 4 bits; the heads of every model of the dial are so wide."""
_CAPABILITY = (8, 0)
"""Of a GPU that has the kernel for 4 bits, and bfloat16 for what is between."""


class TorchAo(Format):
    """Linear layers in fewer bits; embeddings, the output layer, heads and norms stay as they are."""

    packages: ClassVar[Mapping[str, str]] = {"torchao": "torchao"}
    setup = "setup-torchao"

    @abstractmethod
    def loading(self) -> dict[str, Any]:
        """What ``from_pretrained`` takes, to quantise as it loads."""

    def check(self, original: Original) -> None:
        """Models with linear layers."""
        refuse_without_linear(self.name, original)

    def write(self, original: Original, directory: Path, texts: Sequence[str]) -> None:
        """Load the original in fewer bits, and save that."""
        write_quantised(self.name, original, directory, self.loading())

    def model(self, directory: Path, head: str) -> Any:
        """As anybody loads it."""
        return load_quantised(directory, head)


class Int8(TorchAo):
    """8 bits, with one scale for each row of a matrix."""

    name = "int8"

    def loading(self) -> dict[str, Any]:
        """Float32 between, as in the original."""
        from torchao.quantization import Int8WeightOnlyConfig

        quantised = transformers.TorchAoConfig(Int8WeightOnlyConfig())
        return {"dtype": "float32", "quantization_config": quantised}


class Int4(TorchAo):
    """4 bits, with a scale and a zero for every 64 weights, for GPUs."""

    name = "int4"

    def check(self, original: Original) -> None:
        """torchao lays out 4 bits for kernels of GPUs alone."""
        import torch

        if not torch.cuda.is_available() or torch.cuda.get_device_capability() < _CAPABILITY:
            raise GroundupError(
                self.name,
                "torchao has its 4 bits only on GPUs since Ampere, and here is none",
                "use nf4 or gguf-q4, or export on such a machine",
            )
        super().check(original)

    def loading(self) -> dict[str, Any]:
        """Bfloat16 between, which the kernel wants."""
        from torchao.quantization import Int4WeightOnlyConfig

        made = Int4WeightOnlyConfig(group_size=_GROUP, int4_packing_format="tile_packed_to_4d")
        quantised = transformers.TorchAoConfig(made)
        return {"dtype": "bfloat16", "device_map": "cuda", "quantization_config": quantised}


def refuse_without_linear(name: str, original: Original) -> None:
    """Refuse a model none of whose inner layers is a ``torch.nn.Linear``, such as GPT-2.

    Raises:
        GroundupError: naming its kind.
    """
    import torch

    body = original.model.base_model.modules()
    if not any(isinstance(module, torch.nn.Linear) for module in body):
        raise GroundupError(
            name,
            f"a {original.model.config.model_type} model has no linear layers within, and only these are quantised",
            "use onnx or gguf",
        )


def write_quantised(name: str, original: Original, directory: Path, loading: Mapping[str, Any]) -> None:
    """Load a model in fewer bits and save it with its tokenizer.

    Raises:
        GroundupError: when the library cannot quantise or save it.
    """
    try:
        loader = getattr(transformers, original.head)
        model = loader.from_pretrained(original.directory, use_safetensors=True, **loading)
        model.save_pretrained(directory)
    except (
        ValueError,
        ImportError,
        RuntimeError,
        NotImplementedError,
        AssertionError,
        AttributeError,
    ) as error:
        raise GroundupError(
            name,
            f"the weights of this {original.model.config.model_type} model cannot be held so "
            f"({type(error).__name__}: {first_line(error)[:200]})",
            "use another format",
        ) from error
    original.tokenizer.save_pretrained(directory)


def load_quantised(directory: Path, head: str) -> Any:
    """A model in fewer bits, from its files alone.

    Raises:
        GroundupError: when it does not load.
    """
    import torch

    where = {"device_map": "cuda"} if torch.cuda.is_available() else {}
    try:
        return getattr(transformers, head).from_pretrained(directory, use_safetensors=True, **where).eval()
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, AssertionError) as error:
        raise GroundupError(
            str(directory), f"{head} cannot load it ({first_line(error)[:200]})", "export it again"
        ) from error
