"""A recurrent language model: embedding, LSTM layers, softmax (Hochreiter and Schmidhuber, 1997).

Each layer reads its input x_t (the embedding of the token w_t, or the hidden state of the layer below) and what it
remembers, all vectors of d numbers; σ is the logistic function, ⊙ the product by elements:

    i_t = σ(W_ii x_t + b_ii + W_hi h_t−1 + b_hi)        what is let in
    f_t = σ(W_if x_t + b_if + W_hf h_t−1 + b_hf)        what is kept (Gers, Schmidhuber and Cummins, 2000)
    g_t = tanh(W_ig x_t + b_ig + W_hg h_t−1 + b_hg)     what there is to let in
    o_t = σ(W_io x_t + b_io + W_ho h_t−1 + b_ho)        what is said
    c_t = f_t ⊙ c_t−1 + i_t ⊙ g_t                       the cell, nought before a document
    h_t = o_t ⊙ tanh(c_t)                               the hidden state, nought before a document

and over the last layer's hidden state P(w_t+1 | w_1 … w_t) = softmax(W h_t + b), W of |V| rows. torch holds the four
matrices of a kind in one: ``weight_ih_l0`` (4d, d) is W_ii, W_if, W_ig, W_io of the first layer, one below the other.

By default it is the one that primers of language modelling train: two layers of 128 units, with Adam, ten passes over
the text, batches of 64. A recipe sets these in ``Model`` (depth=2, width=128) and ``Pretrain`` (optimizer="adamw",
weight_decay=0, learning_rate=1e-3, betas=(0.9, 0.999), schedule="constant", global_batch=64, and the steps that ten
passes make).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_layers import GenericForQuestionAnswering, GenericForSequenceClassification
from transformers.modeling_outputs import BaseModelOutputWithPast

from .shared import WithoutAttention, WithOutputLayer, make_known, positions_in_documents


class LstmConfig(PretrainedConfig):
    """Sizes of the model."""

    model_type = "lstm"

    vocab_size: int = 8192
    """|V|."""
    hidden_size: int = 128
    """d, of the embedding and of every layer."""
    num_hidden_layers: int = 2
    initializer_range: float = 0.05
    """Standard deviation of the embedding and of W before training."""
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None


class LstmPreTrainedModel(WithoutAttention, PreTrainedModel):
    """What all models of the family share: the configuration, and the numbers before training."""

    config_class = LstmConfig
    base_model_prefix = "model"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """transformers' own, but b_if is one: a cell keeps what it holds at first (Gers et al., 2000, section 4)."""
        super()._init_weights(module)
        if isinstance(module, nn.LSTM):
            for name, bias in module.named_parameters():
                if name.startswith("bias_ih") and not getattr(bias, "_is_hf_initialized", False):
                    bias[module.hidden_size : 2 * module.hidden_size] = 1.0


class LstmModel(LstmPreTrainedModel):
    """Embedding and LSTM layers; a document begins with an empty memory wherever in a row it stands."""

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.lstm = nn.LSTM(config.hidden_size, config.hidden_size, config.num_hidden_layers)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """Hidden states h_t of the last layer, ``(batch, length, d)``.

        Args:
            input_ids: ``(batch, length)``.
            attention_mask: ``(batch, length)``, 0 where there is padding.
            position_ids: ``(batch, length)``, starting anew with each document of a row.
            inputs_embeds: ``(batch, length, d)`` in the place of ``input_ids``.
        """
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if x.is_meta:  # its work is counted: there are no numbers by which documents could be told
            return BaseModelOutputWithPast(last_hidden_state=self.lstm(x.transpose(0, 1))[0].transpose(0, 1))
        tokens = torch.arange(x.shape[:2].numel(), device=x.device)
        documents = tokens.split(_lengths(positions_in_documents(x, position_ids, attention_mask)))
        packed = pack_sequence(documents, enforce_sorted=False)  # which token is read when
        order = packed.data
        with torch.autocast("cpu", enabled=False):  # oneDNN has no LSTM in bfloat16 on many a CPU
            h, _ = self.lstm(packed._replace(data=x.flatten(0, 1)[order]))
        states = torch.empty_like(h.data).index_copy(0, order, h.data)
        return BaseModelOutputWithPast(last_hidden_state=states.view_as(x))


def _lengths(positions: torch.Tensor) -> list[int]:
    """Tokens of each document, row after row."""
    begins = (positions.flatten() == 0).nonzero()[:, 0]
    return begins.diff(append=begins.new_tensor([positions.numel()])).tolist()


class LstmForCausalLM(WithOutputLayer, LstmPreTrainedModel, GenerationMixin):
    """The language model: softmax(W h_t + b) is the distribution of the token after w_t."""

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        self.model = LstmModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()


class LstmForSequenceClassification(GenericForSequenceClassification, LstmPreTrainedModel):
    """A class from the hidden state of the last token."""


class LstmForQuestionAnswering(GenericForQuestionAnswering, LstmPreTrainedModel):
    """Begin and end of an answer from the hidden states."""


make_known(LstmConfig, LstmModel, LstmForCausalLM, LstmForSequenceClassification, LstmForQuestionAnswering)
