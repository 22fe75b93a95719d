"""GGUF, the one file that llama.cpp and what is built on it read: shape, tokenizer, chat template and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import transformers
from transformers.utils import GENERATION_CONFIG_NAME

from pipeline.artifacts import read_json
from pipeline.errors import GroundupError, first_line
from pipeline.export.formats.base import Format, refuse_head
from pipeline.export.original import WRITER

if TYPE_CHECKING:
    from pipeline.export.original import Original

FILE = "model.gguf"
Weights = np.ndarray[Any, Any]


def _as_it_is(name: str, weights: Weights, config: Any) -> Weights:
    return weights


def _llama(name: str, weights: Weights, config: Any) -> Weights:
    """Rows in llama.cpp's order: it rotates pairs of neighbours, transformers halves of a head (Su et al., 2021)."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(
        name.split(".")[-2]
    )
    if heads is None:
        return weights
    halves = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def _gpt2(name: str, weights: Weights, config: Any) -> Weights:
    """Its layers hold their matrices transposed."""
    within = name.startswith("blk.") and name.endswith(".weight") and weights.ndim == 2
    return weights.T if within else weights


@dataclass(frozen=True)
class Architecture:
    """What is known of a family that both llama.cpp and transformers read from GGUF."""

    turns: bool = True
    """Whether it tells positions by rotations (RoPE)."""
    arranged: Callable[[str, Weights, Any], Weights] = _as_it_is
    """Weights as llama.cpp wants them, by their name there."""


_ARCHITECTURES = {
    "llama": Architecture(arranged=_llama),
    "qwen2": Architecture(),
    "qwen3": Architecture(),
    "gpt2": Architecture(turns=False, arranged=_gpt2),
}
FAMILIES = tuple(_ARCHITECTURES)

_UNTAKEN = {"head_dim": "qwen3.attention.key_length", "n_positions": "gpt2.context_length"}
"""Arguments of transformers' configurations that it leaves at their defaults, by where they stand in a file."""


class Gguf(Format):
    """Weights in one of the types that the gguf package can write; vectors stay in float32.

    Args:
        name: of the format.
        kind: of the numbers, a ``gguf.GGMLQuantizationType``.
    """

    weights = ("*.gguf",)
    packages: ClassVar[Mapping[str, str]] = {"gguf": "gguf"}
    runs_here = False

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.exact = kind == "F32"

    def check(self, original: Original) -> None:
        """Models that write, of a known family, without what GGUF says in other ways."""
        refuse_head(self.name, original, (WRITER,))
        config = original.model.config
        if fault := _fault(config) or _fault_of_tokenizer(original.tokenizer):
            raise GroundupError(self.name, fault, "use another format, such as onnx")

    def write(self, original: Original, directory: Path, texts: Sequence[str]) -> None:
        """Write one file, and beside it how to generate, which GGUF does not say."""
        import gguf

        from pipeline.export.formats.gguf_tokenizer import add_tokenizer

        model, config = original.model, original.model.config
        writer = gguf.GGUFWriter(directory / FILE, config.model_type)
        writer.add_name(original.stage)
        writer.add_file_type(gguf.LlamaFileType[_file_type(self.kind)])
        _add_shape(writer, config)
        rows = model.get_input_embeddings().weight.shape[0]
        add_tokenizer(writer, original.tokenizer, rows, texts)
        for name, weights in _tensors(model):
            if weights.ndim > 1 and not self.exact:
                kind = gguf.GGMLQuantizationType[self.kind]
                writer.add_tensor(name, gguf.quants.quantize(weights, kind), raw_dtype=kind)
            else:
                writer.add_tensor(name, weights)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        model.generation_config.save_pretrained(directory)

    def model(self, directory: Path, head: str) -> Any:
        """As transformers reads it, its weights in float32 again."""
        given = {"gguf_file": FILE, "dtype": "float32"}
        try:
            made = getattr(transformers, head).from_pretrained(directory, **given, **_unsaid(directory))
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise GroundupError(
                str(directory / FILE), f"{head} cannot load it ({first_line(error)[:200]})", "export it again"
            ) from error
        made.generation_config = transformers.GenerationConfig.from_dict(
            read_json(directory / GENERATION_CONFIG_NAME)
        )
        return made.eval()

    def tokenizer(self, directory: Path) -> Any:
        """As transformers reads it."""
        from pipeline.model.special_tokens import set_padding

        loader = transformers.AutoTokenizer
        tokenizer = loader.from_pretrained(directory, gguf_file=FILE)
        set_padding(tokenizer)
        tokenizer.padding_side = "right"
        return tokenizer


def _unsaid(directory: Path) -> dict[str, Any]:
    """What transformers does not take from a file that says it."""
    import gguf

    reader = gguf.GGUFReader(directory / FILE)
    fields = {name: reader.get_field(key) for name, key in _UNTAKEN.items()}
    return {name: int(field.contents()) for name, field in fields.items() if field is not None}


def _file_type(kind: str) -> str:
    return "ALL_F32" if kind == "F32" else f"MOSTLY_{kind}"


def _fault(config: Any) -> str:
    """What keeps a model from GGUF; nothing where it fits."""
    family = config.model_type
    if family not in _ARCHITECTURES:
        return f"GGUF is written here of {', '.join(_ARCHITECTURES)}, and this is a {family} model"
    scaling = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if scaling != "default":
        return f"its rotations are scaled ({scaling}), which transformers does not read back from GGUF"
    if getattr(config, "use_sliding_window", False):
        return "its attention has a sliding window, which transformers does not read back from GGUF"
    return ""


def _fault_of_tokenizer(tokenizer: Any) -> str:
    import json

    made = json.loads(tokenizer.backend_tokenizer.to_str())
    kind, decoder = made["model"]["type"], (made.get("decoder") or {}).get("type")
    if kind != "BPE" or decoder != "ByteLevel":
        return (
            f"GGUF is written here with byte-level BPE, and its tokenizer is {kind} with a decoder {decoder}"
        )
    return ""


def _add_shape(writer: Any, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if not _ARCHITECTURES[config.model_type].turns:
        writer.add_feed_forward_length(config.n_inner or 4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(size)
    writer.add_key_length(size)
    writer.add_value_length(size)


def _tensors(model: Any) -> Iterator[tuple[str, Weights]]:
    """Names and weights as llama.cpp wants them; an output layer that is the embeddings stands there once.

    Raises:
        GroundupError: for weights that it has no name for.
    """
    import gguf

    config = model.config
    architecture = {name: number for number, name in gguf.MODEL_ARCH_NAMES.items()}[config.model_type]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    output, table = model.get_output_embeddings(), model.get_input_embeddings()
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if (
            output is not None
            and output.weight is table.weight
            and parameter is output.weight
            and "lm_head" in name
        ):
            continue
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if known is None:
            raise GroundupError("gguf", f"llama.cpp has no name for the weights {name}", "use another format")
        weights = parameter.detach().to("cpu").float().numpy()
        arranged = _ARCHITECTURES[config.model_type].arranged(known, weights, config)
        yield known, np.ascontiguousarray(arranged)
