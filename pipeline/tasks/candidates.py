"""Answers that a model finds likely: spans of a context, best first, and none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from pipeline.evaluate.squad import LONGEST_ANSWER
from pipeline.tasks.windows import Span, Window

_KEPT = 20
"""Spans of a question, as in run_squad."""


@dataclass(frozen=True)
class Candidates:
    """What may be said to one question."""

    spans: list[Span]
    """Characters of the context, the likeliest first."""
    scores: list[float]
    """Logits of start and end, added, of each."""
    nothing: float
    """The same of "no answer": the least over the windows, each of which may say that the answer is elsewhere."""

    @property
    def margin(self) -> float:
        """By how much the likeliest span is likelier than none."""
        return self.scores[0] - self.nothing if self.scores else -math.inf

    def logits(self, threshold: float) -> list[float]:
        """Of "no answer" and of the spans, so that what is said is what has the greatest."""
        return [self.nothing + threshold, *self.scores]

    def said(self, context: str, threshold: float, n_best: int) -> dict[str, Any]:
        """The likeliest answer, and the best ones with their probabilities, "no answer" (an empty text) among them.

        Probabilities are shares of the 20 likeliest spans and "no answer".
        """
        shares = _softmax(self.logits(threshold))
        listed = [
            {"text": context[a:b], "start": a, "end": b, "probability": round(share, 6)}
            for (a, b), share in zip([(0, 0), *self.spans[:n_best]], shares, strict=False)
        ]
        first = listed[1] if self.margin > threshold else listed[0]
        return {
            "prediction": first["text"],
            **{name: first[name] for name in ("start", "end", "probability")},
            "no_answer_probability": listed[0]["probability"],
            "n_best": sorted(listed, key=lambda entry: (entry is not first, -entry["probability"])),
        }


def _softmax(logits: Sequence[float]) -> list[float]:
    most = max(logits)
    weights = [math.exp(logit - most) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def candidates(
    model: Any, tokenizer: Any, questions: Sequence[Sequence[Window]], batch_tokens: int
) -> list[Candidates]:
    """The best spans of each question over all its windows."""
    from transformers import DataCollatorWithPadding

    from pipeline.evaluate.predict import forward_batches

    windows = [window for question in questions for window in question]
    found: list[list[tuple[float, Span]]] = [[] for _ in windows]
    nothing = [math.inf] * len(windows)
    features = [window.features() for window in windows]
    for batch, outputs in forward_batches(model, features, DataCollatorWithPadding(tokenizer), batch_tokens):
        chosen = [windows[i] for i in batch]
        starts, ends = outputs.start_logits.float().cpu(), outputs.end_logits.float().cpu()
        for i, spans in zip(batch, _best_spans(chosen, starts, ends), strict=True):
            found[i] = spans
            none = windows[i].nothing
            row = batch.index(i)
            nothing[i] = float(starts[row, none] + ends[row, none])
    edges = list(accumulate((len(question) for question in questions), initial=0))
    return [_merged(found[a:b], nothing[a:b]) for a, b in pairwise(edges)]


def _merged(found: Sequence[Sequence[tuple[float, Span]]], nothing: Sequence[float]) -> Candidates:
    """Of all windows of a question; a span that two windows show counts once."""
    best: Mapping[Span, float] = {
        span: score for score, span in sorted(entry for window in found for entry in window)
    }
    ordered = sorted(best.items(), key=lambda entry: -entry[1])[:_KEPT]
    return Candidates([span for span, _ in ordered], [score for _, score in ordered], min(nothing))


def _best_spans(windows: Sequence[Window], starts: Any, ends: Any) -> list[list[tuple[float, Span]]]:
    """Scores and characters of the best spans of each window; ``starts``, ``ends``: logits, ``(windows, tokens)``."""
    import torch

    most = max(1, *(len(window.places) for window in windows))
    places = torch.zeros(len(windows), most, dtype=torch.long)
    absent = torch.ones(len(windows), most, dtype=torch.bool)
    for row, window in enumerate(windows):
        places[row, : len(window.places)] = torch.tensor(window.places, dtype=torch.long)
        absent[row, : len(window.places)] = False
    first, last = (side.gather(1, places).masked_fill(absent, -torch.inf) for side in (starts, ends))
    # Of each first token, the tokens from it on that may be the last.
    ahead = torch.nn.functional.pad(last, (0, LONGEST_ANSWER - 1), value=-torch.inf).unfold(
        1, LONGEST_ANSWER, 1
    )
    scores = (first[:, :, None] + ahead).flatten(1)
    values, numbers = scores.topk(min(_KEPT, scores.shape[1]))
    return [
        [
            (
                value,
                (
                    window.spans[n // LONGEST_ANSWER][0],
                    window.spans[n // LONGEST_ANSWER + n % LONGEST_ANSWER][1],
                ),
            )
            for value, n in zip(row_values, row_numbers, strict=True)
            if value > -math.inf
        ]
        for window, row_values, row_numbers in zip(windows, values.tolist(), numbers.tolist(), strict=True)
    ]
