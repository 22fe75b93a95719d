"""Batches by which a causal model makes logits where there is a target, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import BatchEncoding, DataCollatorForSeq2Seq, PreTrainedTokenizerBase


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
