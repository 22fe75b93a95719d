"""n-grams by interpolated, modified Kneser–Ney smoothing (Kneser and Ney, 1995; Chen and Goodman, 1999).

What follows depends on the n − 1 symbols before. A symbol is a token, or B, which stands before the first token of a
document. Let c(g) be how often an n-gram g ends at a token that is predicted, and

    a(g) = c(g)                                        for n symbols, and for fewer that begin with B
    a(g) = |{v : c(v g) > 0}|                          for fewer else: how many symbols stand before g

With h a history of one to n − 1 symbols, h' the same without its first, A(h) = Σ_w a(hw), and D by how large a(hw) is,

    P(w | h) = (a(hw) − D(a(hw))) / A(h) + γ(h) P(w | h')          and P(w | h) = P(w | h') where A(h) = 0
    γ(h) = Σ_w D(a(hw)) / A(h)                         so that it sums to one (Chen and Goodman, section 3)

and below a single token's P stands 1 / |V|. D(0) = 0, D(1), D(2) and D(3 or more) are one's own for each length, with
n_r the number of n-grams of that length that have a = r and Y = n_1 / (n_1 + 2 n_2):

    D(r) = r − (r + 1) Y n_r+1 / n_r                   (equation 17)

Where there is too little text for these, all three are Y (Ney, Essen and Kneser, 1994), and a half where there is none.

What is stored is a(g), exactly, in sorted tables: that of k symbols has for each n-gram the number s (|V| + 1) + w,
where w is its last symbol and s the place, in the table before, of the symbols before w. Nothing is learned by
gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from .shared import WithoutAttention, WithoutCache, make_known, positions_in_documents

_NUMBERS_AT_ONCE = 2**22
"""Probabilities in float64 that are worked out together."""


class NgramConfig(PretrainedConfig):
    """Sizes of the model."""

    model_type = "ngram"

    vocab_size: int = 8192
    """|V|."""
    window: int = 4
    """n − 1, the symbols before the one predicted."""
    sizes: list[int] | None = None
    """How many n-grams of two symbols, of three, …, of n are stored; None before anything is counted."""
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None


def discounts(counts: torch.Tensor) -> torch.Tensor:
    """D(1), D(2) and D(3 or more) by equation 17, of all a(g) of one length.

    Args:
        counts: whole numbers, of which noughts do not count.
    """
    n1, n2, n3, n4 = (float((counts == r).sum()) for r in (1, 2, 3, 4))
    plain = n1 / (n1 + 2 * n2) if n1 and n2 else 0.5
    if not (n1 and n2 and n3 and n4):
        return torch.full((3,), plain)
    found = [1 - 2 * plain * n2 / n1, 2 - 3 * plain * n3 / n2, 3 - 4 * plain * n4 / n3]
    return (
        torch.tensor(found)
        if all(0 < d < r for r, d in enumerate(found, start=1))
        else torch.full((3,), plain)
    )


class NgramPreTrainedModel(WithoutAttention, PreTrainedModel):
    """What the models of the family share."""

    config_class = NgramConfig
    base_model_prefix = "model"

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing: what is not counted is nought."""


def _stored(size: int, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.zeros(size, dtype=dtype), requires_grad=False)


class NgramModel(NgramPreTrainedModel):
    """The tables, and the probabilities that follow from them."""

    def __init__(self, config: NgramConfig) -> None:
        super().__init__(config)
        sizes = config.sizes or [0] * config.window
        self.unigrams = _stored(config.vocab_size, torch.int32)
        self.places = nn.ParameterList([_stored(size, torch.int64) for size in sizes])
        self.counts = nn.ParameterList([_stored(size, torch.int32) for size in sizes])
        self.discounts = nn.Parameter(torch.full((config.window + 1, 3), 0.5), requires_grad=False)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """log P of the token after each, in the place of hidden states: ``(batch, length, |V|)``.

        Args:
            input_ids: ``(batch, length)``.
            attention_mask: ``(batch, length)``, 0 where there is padding.
            position_ids: ``(batch, length)``, starting anew with each document of a row.
        """
        histories = self._histories(
            input_ids, positions_in_documents(input_ids, position_ids, attention_mask)
        )
        parts = histories.split(max(1, _NUMBERS_AT_ONCE // self.config.vocab_size))
        said = torch.cat([self.probabilities(part).log().to(self.dtype) for part in parts])
        return BaseModelOutputWithPast(last_hidden_state=said.view(*input_ids.shape, self.config.vocab_size))

    def _histories(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """The n − 1 symbols up to each token, ``(batch · length, n − 1)``: |V| is B, and -1 what is before that."""
        columns = []
        for back in reversed(range(self.config.window)):
            moved = nn.functional.pad(ids, (back, 0))[:, : ids.shape[1]]
            first = torch.where(positions == back - 1, self.config.vocab_size, -1)
            columns.append(torch.where(positions >= back, moved, first).flatten())
        return torch.stack(columns, -1)

    def probabilities(self, histories: torch.Tensor) -> torch.Tensor:
        """P(w | h) in float64, ``(histories, |V|)``, of histories ``(histories, n − 1)``, the last symbol last."""
        entries = self.config.vocab_size
        counts = self.unigrams.double()
        less, rest = self._discounted(counts, 0, torch.zeros_like(self.unigrams, dtype=torch.long), 1)
        p = (less + rest / entries).repeat(len(histories), 1)
        for length in range(1, self.config.window + 1):
            rows, words, counts = self._followers(self._place(histories[:, -length:]), length)
            less, rest = self._discounted(counts, length, rows, len(histories))
            p *= rest[:, None]
            p.view(-1).index_add_(0, rows * entries + words, less)
        return p

    def _discounted(
        self, counts: torch.Tensor, length: int, rows: torch.Tensor, histories: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(a − D(a)) / A of every count, and γ of every history, 1 where A is nought.

        Args:
            counts: a(hw), float64.
            length: of the histories.
            rows: which history each is of.
            histories: how many there are.
        """
        d = nn.functional.pad(self.discounts[length].double(), (1, 0))[counts.long().clamp(max=3)]
        totals, taken = (counts.new_zeros(histories).index_add_(0, rows, part) for part in (counts, d))
        rest = torch.where(totals > 0, taken / totals.clamp(min=1), 1.0)
        return (counts - d) / totals.clamp(min=1)[rows], rest

    def _place(self, symbols: torch.Tensor) -> torch.Tensor:
        """Where each history stands in the table of its length, -1 where it does not, ``(histories,)``."""
        place = symbols[:, 0]
        for table, symbol in zip(self.places, symbols.T[1:], strict=False):
            wanted = place * (self.config.vocab_size + 1) + symbol
            found = torch.searchsorted(table, wanted).clamp(max=max(0, len(table) - 1))
            there = table[found] == wanted if len(table) else torch.zeros_like(wanted, dtype=torch.bool)
            place = torch.where(there & (place >= 0) & (symbol >= 0), found, -1)
        return place

    def _followers(self, place: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """All that was seen after histories: of which history, the word, and a(hw) in float64.

        Args:
            place: of the histories, -1 for those that were not seen.
            length: of the histories, in symbols.
        """
        symbols, table = self.config.vocab_size + 1, self.places[length - 1]
        first, behind = (torch.searchsorted(table, (place + more) * symbols) for more in (0, 1))
        many = torch.where(place >= 0, behind - first, 0)
        rows = torch.repeat_interleave(torch.arange(len(place), device=place.device), many)
        inside = torch.arange(len(rows), device=place.device) - (many.cumsum(0) - many)[rows]
        found = first[rows] + inside
        return rows, table[found] % symbols, self.counts[length - 1][found].double()


class NgramForCausalLM(WithoutCache, NgramPreTrainedModel, GenerationMixin):
    """The language model: its logits are logarithms of probabilities, which softmax leaves as they are."""

    def __init__(self, config: NgramConfig) -> None:
        super().__init__(config)
        self.model = NgramModel(config)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **options: Any,
    ) -> CausalLMOutputWithPast:
        """log P, ``(batch, length, |V|)``, and the loss of labels, ``(batch, length)``, -100 where there is none.

        Args:
            input_ids, attention_mask, position_ids: see ``NgramModel``.
            labels: the tokens themselves; each is the target of the position before it.
            logits_to_keep: of so many last positions, 0 being all; or which positions.
            options: of the loss, such as ``num_items_in_batch``.
        """
        said = self.model(input_ids, attention_mask, position_ids).last_hidden_state
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        loss = None
        if labels is not None:
            loss = self.loss_function(said, labels, self.config.vocab_size, **options)
        return CausalLMOutputWithPast(loss=loss, logits=said[:, kept])


make_known(NgramConfig, NgramModel, NgramForCausalLM)
