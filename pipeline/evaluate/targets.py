"""Batches of examples with a target by token: of causal models, which make logits nowhere else, and of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import BatchEncoding, DataCollatorForSeq2Seq, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.bart.modeling_bart import shift_tokens_right


class PadTargets:
    """Collate features with ``input_ids`` and ``labels``, padded to the longest.

    ``logits_to_keep`` names the columns from which any row has a token to predict, and one more at the end. Labels
    are of these columns, ``(rows, columns)``, shifted as transformers' losses expect it: each stands one place after
    the logits that predict it, the first one is none.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.pad = DataCollatorForSeq2Seq(tokenizer)

    def __call__(self, features: Sequence[dict[str, Any]]) -> BatchEncoding:
        batch = self.pad(list(features))
        labels, ignored = batch["labels"], self.pad.label_pad_token_id
        following = (labels[:, 1:] != ignored).any(0).nonzero().squeeze(1) + 1
        last = torch.tensor([labels.shape[1] - 1])
        kept = torch.nn.functional.pad(labels[:, following], (1, 0), value=ignored)
        return BatchEncoding({**batch, "labels": kept, "logits_to_keep": torch.cat([following - 1, last])})


class PadPairs:
    """Collate ``input_ids`` and ``labels`` for an encoder-decoder, each padded to the longest.

    ``decoder_input_ids`` are the labels behind the token that the decoder begins with, made by the model's own class
    where it can.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
        self.pad, self.config = DataCollatorForSeq2Seq(tokenizer, model=model), model.config

    def __call__(self, features: Sequence[dict[str, Any]]) -> BatchEncoding:
        batch = self.pad([{name: f[name] for name in ("input_ids", "labels")} for f in features])
        if (
            "decoder_input_ids" not in batch
        ):  # M2M-100 and NLLB shift in the same way, and have no method for it
            begins, padding = self.config.decoder_start_token_id, self.config.pad_token_id
            batch["decoder_input_ids"] = shift_tokens_right(batch["labels"], padding, begins)
        return batch
