"""ONNX by torch's own exporter: any batch, any length, and for a model that writes its keys and values as inputs."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import GroundupError, first_line
from pipeline.export.formats.base import Format, refuse_head
from pipeline.export.original import WRITER

if TYPE_CHECKING:
    from pipeline.export.original import Original

CLASSIFIER = "AutoModelForSequenceClassification"
READER = "AutoModelForQuestionAnswering"
FILE = "model.onnx"
_OUTPUTS = {CLASSIFIER: ("logits",), READER: ("start_logits", "end_logits")}
_BATCH, _TOKENS, _BEFORE = 2, 5, 3
"""Of the example that the graph is traced with; none is 1, which would stay fixed."""
_LOUD = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


class Onnx(Format):
    """A graph in float32. Names of inputs and outputs are those of Optimum, which others read too."""

    name = "onnx"
    weights = ("*.onnx", "*.onnx.data")
    packages: ClassVar[Mapping[str, str]] = {
        "onnx": "onnx",
        "onnxscript": "onnxscript",
        "onnxruntime": "onnxruntime",
    }
    exact = True

    def check(self, original: Original) -> None:
        """Models that write, classify or mark a span."""
        refuse_head(self.name, original, (WRITER, *_OUTPUTS))

    def write(self, original: Original, directory: Path, texts: Sequence[str]) -> None:
        """Trace the model and write the graph."""
        import torch

        model = original.model.to("cpu").eval()
        graph = _writer(model) if original.head == WRITER else _head(model, original)
        with _quiet(), torch.no_grad():
            try:
                program = torch.onnx.export(dynamo=True, verbose=False, **graph)
            except Exception as error:  # whatever the code of two hundred families may raise
                raise GroundupError(
                    self.name,
                    f"torch's exporter cannot take a {model.config.model_type} model "
                    f"({type(error).__name__}: {first_line(error)[:200]})",
                    "use another format, such as int8",
                ) from error
            _without_traces(program)
            program.save(directory / FILE)
        original.save_settings(directory)

    def model(self, directory: Path, head: str) -> Any:
        """The graph in ONNX Runtime, under the model's interface."""
        from pipeline.export.onnx_model import OnnxModel

        return OnnxModel.from_file(directory / FILE)


def _without_traces(program: Any) -> None:
    """Take out where each node came from: lines and directories of this machine, in a small model half of the file."""
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    ClearMetadataAndDocStringPass()(program.model)


def _head(model: Any, original: Original) -> dict[str, Any]:
    """What the exporter takes, for a model that reads a text once."""
    import torch

    outputs = _OUTPUTS[original.head]
    kinds = getattr(model.config, "type_vocab_size", 0) > 1
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if kinds else [])]

    class Head(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> tuple[Any, ...]:
            made = self.model(**dict(zip(names, inputs, strict=True)))
            return tuple(made[name] for name in outputs)

    ids = torch.arange(_BATCH * _TOKENS).view(_BATCH, _TOKENS) % model.config.get_text_config().vocab_size
    inputs = (ids, torch.ones_like(ids), *([torch.zeros_like(ids)] if kinds else []))
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    return {
        "model": Head().eval(),
        "args": inputs,
        "dynamic_shapes": (tuple(sizes for _ in inputs),),
        "input_names": names,
        "output_names": list(outputs),
    }


def _writer(model: Any) -> dict[str, Any]:
    """What the exporter takes, for a model that goes on from the keys and values of what it has read."""
    import torch
    from transformers import DynamicCache

    shapes, name = _cache_shapes(model), _cache_name(model)

    class Step(torch.nn.Module):
        """Logits of new tokens, ``(batch, tokens, vocabulary)``, and all keys and values, old and new."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(
            self, input_ids: Any, attention_mask: Any, position_ids: Any, before: Any
        ) -> tuple[Any, ...]:
            cache = DynamicCache()
            for layer, (keys, values) in enumerate(before):
                cache.update(keys, values, layer)
            said = self.model(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                use_cache=True,
                **{name: cache},
            )
            return said.logits, *(held for layer in cache.layers for held in (layer.keys, layer.values))

    ids = torch.arange(_BATCH * _TOKENS).view(_BATCH, _TOKENS) % model.config.get_text_config().vocab_size
    positions = torch.arange(_BEFORE, _BEFORE + _TOKENS).repeat(_BATCH, 1)
    mask = torch.ones(_BATCH, _BEFORE + _TOKENS, dtype=torch.long)
    before = [tuple(torch.zeros(_BATCH, heads, _BEFORE, size) for _ in "kv") for heads, size in shapes]
    dynamic = torch.export.Dim.DYNAMIC
    sizes, held = {0: dynamic, 1: dynamic}, {0: dynamic, 2: dynamic}
    return {
        "model": Step().eval(),
        "args": (ids, mask, positions, before),
        "dynamic_shapes": (sizes, sizes, sizes, [(held, held) for _ in shapes]),
        "input_names": ["input_ids", "attention_mask", "position_ids", *_held(shapes, "past_key_values")],
        "output_names": ["logits", *_held(shapes, "present")],
    }


def _held(shapes: Sequence[tuple[int, int]], prefix: str) -> list[str]:
    return [f"{prefix}.{layer}.{part}" for layer in range(len(shapes)) for part in ("key", "value")]


def _cache_shapes(model: Any) -> list[tuple[int, int]]:
    """Heads of keys and values and their size, by layer.

    Raises:
        GroundupError: for a model that keeps something else.
    """
    import torch
    from transformers import DynamicCache

    cache = DynamicCache()
    try:
        with torch.no_grad():
            ids = torch.zeros(1, 2, dtype=torch.long)
            model(input_ids=ids, use_cache=True, **{_cache_name(model): cache})
        return [(layer.keys.shape[1], layer.keys.shape[3]) for layer in cache.layers]
    except Exception as error:  # whatever the code of two hundred families may raise
        raise GroundupError(
            Onnx.name,
            f"a {model.config.model_type} model keeps more of what it has read than keys and values",
            "use another format, such as int8",
        ) from error


def _cache_name(model: Any) -> str:
    """By the version of transformers."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of operators of libraries that are not there."""
    loggers = [logging.getLogger(name) for name in _LOUD]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
