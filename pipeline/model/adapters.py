"""Adapters: small matrices trained beside a model whose own weights stay as they are, through PEFT."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import nn
from transformers import BitsAndBytesConfig, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D
from transformers.utils import GENERATION_CONFIG_NAME

from pipeline.artifacts import read_json
from pipeline.errors import GroundupError, first_line
from pipeline.model.published import drawn_anew, fit_embeddings, hub_name, load_config, load_model
from pipeline.model.special_tokens import turns
from pipeline.recipe import Adapter, AdapterKind

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel

ADAPTER = "adapter"
"""Directory of the adapter below a task's."""
_KINDS = {
    "AutoModelForCausalLM": "CAUSAL_LM",
    "AutoModelForSequenceClassification": "SEQ_CLS",
    "AutoModelForTokenClassification": "TOKEN_CLS",
    "AutoModelForQuestionAnswering": "QUESTION_ANS",
    "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM",
}
"""PEFT's names of what a model is for."""


def base_options(kind: AdapterKind, start: str, model_class: str, bfloat16: bool = False) -> dict[str, Any]:
    """What ``from_pretrained`` takes beside for the model under an adapter: for QLoRA its layers are held in 4 bits.

    NF4, its constants quantised too (Dettmers et al., 2023, section 3). Heads stay as they are.

    Args:
        kind: of the adapter.
        start: where the model is from.
        model_class: its auto class.
        bfloat16: whether to compute in it.

    Raises:
        GroundupError: for QLoRA and a model whose layers bitsandbytes cannot give back (GPT-2's).
    """
    if kind != "qlora":
        return {}
    with torch.device("meta"):
        model = getattr(transformers, model_class).from_config(load_config(start))
    if _transposed(model):
        raise GroundupError(
            "--adapter.kind",
            f"bitsandbytes holds the layers of a {model.config.model_type} the other way round in 4 bits, "
            "and they do not come back",
            "use lora or dora",
        )
    return four_bits(model, bfloat16)


def four_bits(model: PreTrainedModel, bfloat16: bool = False) -> dict[str, Any]:
    """What ``from_pretrained`` takes to hold the layers of such a model in 4 bits; heads and output layer stay whole.

    Args:
        model: of the kind to load, also without weights.
        bfloat16: whether to compute in it.
    """
    output = model.get_output_embeddings()
    kept = [name for name, module in model.named_modules() if module is output]
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16 if bfloat16 else torch.float32,
            llm_int8_skip_modules=[*_heads(model), *kept],  # of 4 bits too
        )
    }


def attach(
    model: PreTrainedModel, adapter: Adapter, model_class: str, tokens: Sequence[int] = ()
) -> PeftModel:
    """An adapter that changes nothing yet, and the only thing that is trained beside new heads and tokens.

    Args:
        model: changed in place; its weights need no gradient any more.
        adapter: its settings.
        model_class: the auto class of the model.
        tokens: ids whose embeddings, and rows of the output layer, are trained too.

    Raises:
        GroundupError: when the model has no layers of the names in ``adapter.targets``.
    """
    from peft import get_peft_model

    config = _config(model, adapter, model_class, tokens)
    try:
        with _without_old_names():
            return get_peft_model(model, config)
    except ValueError as error:
        raise GroundupError(
            f"--adapter.targets {' '.join(adapter.targets)}",
            f"PEFT cannot put adapters there ({first_line(error)[:200]})",
            "name linear layers of the model, such as q_proj v_proj, or none for all",
        ) from error


def _config(model: PreTrainedModel, adapter: Adapter, model_class: str, tokens: Sequence[int]) -> LoraConfig:
    from peft import LoraConfig

    heads = _heads(model)
    for name in heads:
        if type(model.get_submodule(name)).__name__ == "Linear4bit":
            raise GroundupError(
                "--adapter.kind",
                f"{name} was never published, and 4 bits cannot be trained",
                "use lora or dora",
            )
    return LoraConfig(
        task_type=_KINDS.get(model_class),
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        use_dora=adapter.method == "dora",
        target_modules=list(adapter.targets) or "all-linear",
        exclude_modules=heads or None,
        fan_in_fan_out=_transposed(model),
        modules_to_save=heads or None,
        trainable_token_indices={name: list(tokens) for name in _tables(model)} if tokens else None,
    )


def _transposed(model: PreTrainedModel) -> bool:
    """Whether its layers hold their weights transposed, as GPT-2's do."""
    return any(isinstance(module, Conv1D) for module in model.modules())


def _heads(model: PreTrainedModel) -> list[str]:
    """Parts that were not pre-trained, so that they are trained whole.

    They are neither in the body nor the output layer; or layers in the body that nobody published, such as the pooler
    of a BERT that was trained on masked words alone.
    """
    output = model.get_output_embeddings()
    body = f"{model.base_model_prefix}."
    within = {name.rpartition(".")[0] for name in drawn_anew(model) if name.startswith(body)}
    if model.base_model is model:  # the classes of some encoder-decoders have no body apart
        return []
    return sorted(within) + [
        name
        for name, part in model.named_children()
        if part is not model.base_model
        and any(True for _ in part.parameters())
        and not any(module is output for module in part.modules())
    ]


def _tables(model: PreTrainedModel) -> list[str]:
    """Names of the embeddings and of an output layer that is not the same; PEFT follows one that is."""
    tables = [model.get_input_embeddings()]
    output = model.get_output_embeddings()
    if output is not None and output.weight is not tables[0].weight:
        tables.append(output)
    return [name for name, module in model.named_modules() if any(module is table for table in tables)]


def new_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens that the model has not been trained on: the turns of a conversation, and those it has no row for."""
    return sorted({*without_rows(model, tokenizer), *turns(tokenizer)})


def without_rows(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens that the model's embeddings have no row for; padding, which is never read, may go without."""
    known = model.get_input_embeddings().num_embeddings
    return [id for id in range(known, len(tokenizer)) if id != tokenizer.pad_token_id]


def hold_in_bfloat16(model: nn.Module) -> None:
    """Hold the frozen matrices under LoRA in bfloat16, where training computes in it.

    Nothing else comes out: autocast would round them before every product. DoRA reads them too, and keeps them.
    """
    from peft.tuners.lora import LoraLayer

    for module in model.modules():
        if isinstance(module, LoraLayer) and not any(module.use_dora.values()):
            base = module.get_base_layer()
            if type(base) in (nn.Linear, Conv1D):
                base.to(torch.bfloat16)


def trained_parameters(model: nn.Module) -> int:
    """How many numbers are trained; those shared by two layers once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def load_base(
    start: str, model_class: str, made: Path, tokenizer: PreTrainedTokenizerBase, kind: AdapterKind
) -> PreTrainedModel:
    """The model that adapters of a task stand on, in float32; under QLoRA with the values that its 4 bits hold.

    Args:
        start: where its weights are.
        model_class: the auto class.
        made: directory with the configuration that an adapter was trained with.
        tokenizer: of the adapter.
        kind: of the adapter.

    Raises:
        GroundupError: when it cannot be loaded.
    """
    config = load_config(str(made))
    config.vocab_size = load_config(start).vocab_size
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # else its weights would be taken for quantised ones
    options = {"config": config, **base_options(kind, start, model_class)}
    model = load_model(start, model_class, loading=options)
    if kind == "qlora":
        model = model.dequantize(dtype=torch.float32)
    fit_embeddings(model, tokenizer)
    return model


def put_on(model: PreTrainedModel | PeftModel, directory: Path, name: str = "") -> PeftModel:
    """A model with one more adapter, from its directory, which is the one in use; the model is changed in place.

    Args:
        model: as ``load_base`` gives it, or with adapters.
        directory: of the adapter.
        name: of the adapter, where there are to be several.

    Raises:
        GroundupError: when there is none, or it is another model's.
    """
    from peft import PeftModel

    if any(directory.glob("adapter_model.*")) and not (directory / "adapter_model.safetensors").is_file():
        raise GroundupError(
            str(directory),
            "its weights are no safetensors but a pickle, which can run any code when it is read",
            "convert them where that does no harm: load them there and call save_pretrained",
        )
    try:
        with _without_old_names():
            if isinstance(model, PeftModel):
                model.load_adapter(str(directory), adapter_name=_known_as(name))
            else:
                model = PeftModel.from_pretrained(model, str(directory), adapter_name=_known_as(name))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise GroundupError(
            str(directory),
            f"the adapter does not go onto the model ({first_line(error)[:200]})",
            "train it again",
        ) from error
    use(model, name)
    return model.eval()


@contextmanager
def _without_old_names() -> Iterator[None]:
    """PEFT asks transformers for what it calls otherwise by now, which is no news for a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def holds(model: PreTrainedModel | PeftModel, name: str) -> bool:
    """Whether an adapter of a name was put on a model."""
    return _known_as(name) in getattr(model, "peft_config", {})


def use(model: PeftModel, name: str, made: Path | None = None) -> None:
    """Let a model compute with one of the adapters that were put on it.

    Args:
        model: with adapters.
        name: of the one to use.
        made: directory with its way of generating, where it has one.
    """
    model.set_adapter(_known_as(name), inference_mode=True)
    if made is not None and stock(model).can_generate():
        stock(model).generation_config = GenerationConfig.from_dict(read_json(made / GENERATION_CONFIG_NAME))


def _known_as(name: str) -> str:
    """PEFT's name of an adapter: none that a mapping of modules has a method of, such as keys."""
    return f"adapter-{name}" if name else "default"


def stock(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The model itself, without what PEFT puts around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def merged(model: PeftModel) -> PreTrainedModel:
    """A stock model whose weights have the adapter in use in them."""
    return model.merge_and_unload()


def save_adapter(model: PeftModel, directory: Path, start: str) -> None:
    """Write ``adapter_model.safetensors``, and ``adapter_config.json`` that names the model it stands on."""
    model.peft_config[model.active_adapter].base_model_name_or_path = hub_name(start)
    # PEFT would add whole embeddings that got new rows; those that are trained are in the adapter.
    model.save_pretrained(str(directory), save_embedding_layers=False)
    (directory / "README.md").unlink(missing_ok=True)  # a card without content


def save_settings(model: PreTrainedModel | PeftModel, directory: Path) -> None:
    """All of a model but its weights: what it takes to put an adapter on its base again."""
    itself = stock(model)
    itself.config.save_pretrained(directory)
    if itself.can_generate():
        itself.generation_config.save_pretrained(directory)
