"""The neural probabilistic language model (Bengio, Ducharme, Vincent and Jauvin, 2003, JMLR 3, section 2).

The n − 1 words before a word are looked up in the table C, of |V| rows of m numbers, and put side by side:

    x = (C(w_t−1), C(w_t−2), …, C(w_t−n+1))         (n − 1) m numbers, the last word first
    y = b + W x + U tanh(d + H x)                    |V| numbers, equation (1)
    P(w_t | w_t−1, …, w_t−n+1) = exp(y_w_t) / Σ_i exp(y_i)

H is h × (n − 1) m, U is |V| × h, and W, the direct connections from the words to the output, is |V| × (n − 1) m, or
nought: the paper has both. ``lm_head`` holds b, and U and W side by side, as they are multiplied by tanh(d + H x) and x
side by side; ``hidden_size`` is how many numbers these are. Before a document's first word the paper says nothing; here
stands C(before), m numbers of its own that are learned like those of words and that no token has.

The paper trains by stochastic gradient ascent with a rate that falls as 1 / (1 + r t), and weight decay on all but b
and d; here the trainer's optimisers do, of which a recipe takes adamw.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_layers import GenericForQuestionAnswering, GenericForSequenceClassification
from transformers.modeling_outputs import BaseModelOutputWithPast

from .shared import WithoutAttention, WithOutputLayer, make_known, positions_in_documents


class NplmConfig(PretrainedConfig):
    """Sizes of the model; by default those of the paper's MLP with five words on the Brown corpus (table 1)."""

    model_type = "nplm"

    vocab_size: int = 8192
    """|V|."""
    feature_size: int = 60
    """m, the numbers of a word."""
    hidden_units: int = 50
    """h."""
    window: int = 4
    """n − 1, the words before the one predicted."""
    direct: bool = True
    """Whether there is W."""
    initializer_range: float = 0.05
    """Standard deviation of C, U and W before training."""
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None

    num_hidden_layers = 1

    @property
    def hidden_size(self) -> int:
        """What the output layer reads at each position: h, and with W the (n − 1) m of x too."""
        return self.hidden_units + self.direct * self.window * self.feature_size


class NplmPreTrainedModel(WithoutAttention, PreTrainedModel):
    """What all models of the family share: the configuration, and the numbers before training."""

    config_class = NplmConfig
    base_model_prefix = "model"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """transformers' own; H keeps the size of what goes through it (Glorot and Bengio, 2010), C(before) is C's."""
        super()._init_weights(module)
        if isinstance(module, NplmModel):
            nn.init.xavier_uniform_(module.hidden.weight)
            nn.init.normal_(module.before, std=self.config.initializer_range)


class NplmModel(NplmPreTrainedModel):
    """The words before, and the hidden units that read them."""

    def __init__(self, config: NplmConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.feature_size)  # C
        self.before = nn.Parameter(torch.empty(config.feature_size))
        self.hidden = nn.Linear(config.window * config.feature_size, config.hidden_units)  # H and d
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """tanh(d + H x), and beside it x where there are direct connections, ``(batch, length, hidden_size)``.

        A position's x ends with the word there: what follows from it is the word after.

        Args:
            input_ids: ``(batch, length)``.
            attention_mask: ``(batch, length)``, 0 where there is padding.
            position_ids: ``(batch, length)``, starting anew with each document of a row.
            inputs_embeds: ``(batch, length, m)`` in the place of ``input_ids``.
        """
        words = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        positions = positions_in_documents(words, position_ids, attention_mask)[..., None]
        x = torch.cat([self._words(words, positions, back) for back in range(self.config.window)], -1)
        states = torch.tanh(self.hidden(x))
        if self.config.direct:
            states = torch.cat([states, x.to(states.dtype)], -1)
        return BaseModelOutputWithPast(last_hidden_state=states)

    def _words(self, words: torch.Tensor, positions: torch.Tensor, back: int) -> torch.Tensor:
        """C of the word that stands so far before each, or C(before) where its document has none."""
        moved = nn.functional.pad(words, (0, 0, back, 0))[:, : words.shape[1]]
        return torch.where(positions >= back, moved, self.before)


class NplmForCausalLM(WithOutputLayer, NplmPreTrainedModel, GenerationMixin):
    """The language model: softmax(y) is the distribution of the word after the last one in x."""

    def __init__(self, config: NplmConfig) -> None:
        super().__init__(config)
        self.model = NplmModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size)  # U beside W, and b
        self.post_init()


class NplmForSequenceClassification(GenericForSequenceClassification, NplmPreTrainedModel):
    """A class from the last words."""


class NplmForQuestionAnswering(GenericForQuestionAnswering, NplmPreTrainedModel):
    """Begin and end of an answer, each from the words around it on the left."""


make_known(NplmConfig, NplmModel, NplmForCausalLM, NplmForSequenceClassification, NplmForQuestionAnswering)
