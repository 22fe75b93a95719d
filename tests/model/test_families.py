"""Families: a few are built and run at the sizes of the dial, and those that cannot follow it are refused."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from pipeline.errors import GroundupError
from pipeline.model.families import check_family, model_config
from pipeline.recipe import Model

GATED = ("llama", "qwen3", "mistral", "olmo2", "gemma3_text", "phi3")
PLAIN = ("gpt2", "gpt_neox", "starcoder2")
"""Two matrices in the feed-forward part."""


@pytest.mark.parametrize("family", [*GATED, *PLAIN])
def test_a_family_at_the_sizes_of_the_dial(family: str) -> None:
    settings = Model(family=family, depth=2, width=128, heads=4, kv_heads=2 * (family in GATED), context=32)
    check_family(settings)
    config = model_config(settings, 192, bos_token_id=0, eos_token_id=0, pad_token_id=1)
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (2, 128, 4)
    assert (config.max_position_embeddings, config.vocab_size, config.eos_token_id) == (32, 192, 0)
    assert config.tie_word_embeddings
    model = AutoModelForCausalLM.from_config(config, dtype="float32").train()
    ids = torch.arange(2, 34).repeat(2, 1)
    first, again = (model(input_ids=ids, labels=ids).loss for _ in range(2))
    assert first.isfinite() and torch.equal(first, again)  # no dropout
    layers = [p.shape for n, p in model.named_parameters() if ".1." in n and p.ndim == 2]
    feed_forward = {512} if family in PLAIN else {384, 768}  # 4 widths, or 8/3; phi3 holds two in one matrix
    assert feed_forward & {size for shape in layers for size in shape}


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("lama", "did you mean 'llama'?"),
        ("t5", "transformers has no causal language model 't5'"),
        ("bert", "sees the tokens that it has to predict"),
        ("mixtral", "is a mixture of experts"),
        ("mamba", "has no num_attention_heads"),
        ("falcon_h1", "times the parameters"),
        ("gemma3", "use gemma3_text"),
        ("bloom", "does not keep apart the documents that share a row"),
        ("whisper", "does not work by the dial"),
    ],
)
def test_a_family_that_cannot_follow_is_refused(family: str, words: str) -> None:
    with pytest.raises(GroundupError) as refusal:
        check_family(Model(family=family))
    assert words in str(refusal.value) and refusal.value.where == "--model.family"


def test_heads_are_not_grouped_where_a_family_has_no_groups() -> None:
    with pytest.raises(GroundupError, match=r"--model.kv-heads: gpt2 gives every head its own"):
        check_family(Model(family="gpt2", kv_heads=2))


def test_a_family_from_outside() -> None:
    class MineConfig(LlamaConfig):
        model_type = "mine"

    class MineForCausalLM(LlamaForCausalLM):
        config_class = MineConfig

    AutoConfig.register("mine", MineConfig)
    AutoModelForCausalLM.register(MineConfig, MineForCausalLM)
    check_family(Model(family="mine"))
    assert model_config(Model(family="mine", depth=3), 64).num_hidden_layers == 3


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_an_encoder_decoder_of_any_depth_writes(depth: int) -> None:
    config = model_config(
        Model(family="t5", depth=depth, width=64, context=32), 64, pad_token_id=0, eos_token_id=1
    )
    config.decoder_start_token_id = 0
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    assert config.num_layers == config.num_decoder_layers == max(1, depth // 2)
    ids = torch.tensor([[5, 6, 7]])
    written = model.generate(input_ids=ids, max_new_tokens=4, min_new_tokens=4, use_cache=True)
    again = model.generate(input_ids=ids, max_new_tokens=4, min_new_tokens=4, use_cache=False)
    assert written.shape == (1, 5) and written.tolist() == again.tolist()
