"""Kneser and Ney's n-grams: on paper, beside another program, and counted from the rows that others train on."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.artifacts import Artifact
from pipeline.errors import GroundupError
from pipeline.evaluate.bits import bits_per_byte
from pipeline.model.families import model_config
from pipeline.model.history.ngram import discounts
from pipeline.model.published import load_model, load_tokenizer
from pipeline.plan.needs import trainings_of
from pipeline.plan.problems import problems_of
from pipeline.recipe import Recipe
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from pipeline.train.counting import symbols_of
from pipeline.train.data.blocks import EvaluationRows, features
from pipeline.train.pretrain import pretrain
from tests.model.history.small import ENTRIES, counted, settings_of, small, texts, tokens

START = "B"
Gram = tuple[int | str, ...]


class Dictionaries:
    """The same model in fractions, over dictionaries, as its papers' formulas are read."""

    def __init__(self, documents: list[list[int]], order: int, entries: int) -> None:
        self.order, self.entries = order, entries
        counts: Counter[Gram] = Counter()
        for document in documents:
            symbols: Gram = (START, *document)
            for end, length in itertools.product(range(2, len(symbols)), range(1, order + 1)):
                if length <= end + 1:
                    counts[symbols[end + 1 - length : end + 1]] += 1
        before: dict[Gram, set[int | str]] = {}
        for gram in counts:
            before.setdefault(gram[1:], set()).add(gram[0])
        self.a = {
            gram: count if len(gram) == order or gram[0] == START else len(before[gram])
            for gram, count in counts.items()
        }

    def discount(self, length: int, count: int) -> Fraction:
        n = Counter(a for gram, a in self.a.items() if len(gram) == length)
        y = Fraction(n[1], n[1] + 2 * n[2]) if n[1] and n[2] else Fraction(1, 2)
        own = [r - (r + 1) * y * Fraction(n[r + 1], n[r]) for r in (1, 2, 3) if n[r]]
        if not all(n[r] for r in (1, 2, 3, 4)) or not all(0 < d < r for r, d in enumerate(own, 1)):
            return y
        return own[min(count, 3) - 1]

    def probability(self, word: int, history: Gram) -> Fraction:
        shorter = self.probability(word, history[1:]) if history else Fraction(1, self.entries)
        seen = {w: self.a[*history, w] for w in range(self.entries) if (*history, w) in self.a}
        if not seen:
            return shorter
        taken = {w: self.discount(len(history) + 1, a) for w, a in seen.items()}
        total = sum(seen.values())
        own = Fraction(seen[word] - taken[word]) / total if word in seen else Fraction(0)
        return own + Fraction(sum(taken.values())) / total * shorter


def test_an_example_worked_on_paper() -> None:
    """Two documents, "0 1 0 1 2" and "0 2", by pairs of tokens; of three entries.

    Predicted are 1 0 1 2 and 2, so c(01) = 2, c(10) = 1, c(12) = 1, c(02) = 1. Before 0 stands 1; before 1 stands 0;
    before 2 stand 0 and 1: a = 1, 1, 2. Of single tokens n_1 = 2 and n_2 = 1, so Y = 2/4 = 1/2; of pairs n_1 = 3 and
    n_2 = 1, so Y = 3/5; n_3 is nought, so these are what is taken off everywhere.
    """
    model = counted([[0, 1, 0, 1, 2], [0, 2]], entries=3, window=1)
    below = Fraction(3, 2) / 4 * Fraction(1, 3)  # 3 · 1/2 taken off of 4, to be shared by three
    one = [Fraction(1, 2) / 4 + below, Fraction(1, 2) / 4 + below, Fraction(3, 2) / 4 + below]
    assert one == [Fraction(1, 4), Fraction(1, 4), Fraction(1, 2)]
    rest = 2 * Fraction(3, 5) / 3  # after 0 come 1, twice, and 2
    after_0 = [
        rest * one[0],
        (2 - Fraction(3, 5)) / 3 + rest * one[1],
        (1 - Fraction(3, 5)) / 3 + rest * one[2],
    ]
    rest = 2 * Fraction(3, 5) / 2  # after 1 come 0 and 2
    after_1 = [Fraction(2, 5) / 2 + rest * one[0], rest * one[1], Fraction(2, 5) / 2 + rest * one[2]]
    assert after_0 == [Fraction(1, 10), Fraction(17, 30), Fraction(1, 3)]
    assert after_1 == [Fraction(7, 20), Fraction(3, 20), Fraction(1, 2)]
    said = model(torch.tensor([[0, 1, 2]])).logits[0].exp()
    for found, wanted in zip(said, [after_0, after_1, one], strict=True):  # after 2 nothing was seen
        assert found.tolist() == pytest.approx([float(p) for p in wanted], rel=1e-6)


def test_discounts_by_hand() -> None:
    """n_1 to n_4 are 10, 4, 2 and 1: Y = 10/18 = 5/9."""
    counts = torch.tensor([0, 0] + [1] * 10 + [2] * 4 + [3] * 2 + [4] + [9] * 3)
    y = Fraction(5, 9)
    wanted = [1 - 2 * y * 4 / 10, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2]
    assert discounts(counts).tolist() == pytest.approx([float(d) for d in wanted])
    assert discounts(torch.tensor([1, 1, 2])).tolist() == [0.5] * 3
    assert discounts(torch.tensor([0, 7])).tolist() == [0.5] * 3


@pytest.mark.parametrize("window", [1, 2, 4])
def test_it_says_what_dictionaries_say(window: int) -> None:
    documents = texts(30)
    model = counted(documents, window=window)
    other = Dictionaries(documents, window + 1, ENTRIES)
    text = [*documents[7][:6], 3, 3, *documents[11][4:9]]
    with torch.no_grad():
        said = model(torch.tensor([text])).logits[0].exp()
    for end, word in itertools.product(range(len(text)), range(0, ENTRIES, 3)):
        symbols: Gram = (START, *text[: end + 1])
        assert said[end, word].item() == pytest.approx(
            float(other.probability(word, symbols[-window:])), rel=1e-5
        )


def test_probabilities_sum_to_one_and_softmax_leaves_them() -> None:
    model = small("ngram")
    logits = model(tokens(4)).logits
    assert torch.allclose(
        logits.exp().sum(-1), torch.ones(4, logits.shape[1], dtype=torch.float64), atol=1e-12
    )
    assert torch.allclose(logits.softmax(-1), logits.exp(), atol=1e-12)
    assert model.float()(tokens(4)).logits.dtype == torch.float32


def test_before_anything_is_counted_all_is_as_likely() -> None:
    model = AutoModelForCausalLM.from_config(model_config(settings_of("ngram"), ENTRIES))
    assert model(tokens()).logits.exp().flatten().tolist() == pytest.approx([1 / ENTRIES] * 2 * 12 * ENTRIES)


def test_rows_give_their_documents_and_no_padding() -> None:
    row = features([np.array([5, 6, 7]), np.array([8]), np.array([9, 4])], length=9, padding=0)
    assert symbols_of([row, row], 20).tolist() == [20, 5, 6, 7, 20, 9, 4] * 2


def test_tables_come_back_as_they_were_saved(tmp_path: Path) -> None:
    model = small("ngram")
    model.save_pretrained(tmp_path)
    again = load_model(str(tmp_path), "AutoModelForCausalLM")
    wanted, found = model.state_dict(), again.state_dict()
    whole = [name for name, weight in wanted.items() if not weight.is_floating_point()]
    assert len(whole) == 9 and all(torch.equal(wanted[name], found[name]) for name in whole)
    assert all(wanted[name].dtype == found[name].dtype for name in whole)
    assert torch.allclose(model(tokens()).logits.float(), again(tokens()).logits, atol=1e-5)
    assert again.num_parameters() == sum(weight.numel() for weight in found.values())


@pytest.fixture(scope="module")
def pretrained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """The tiny recipe with n-grams in the place of its model, counted."""
    recipe = load_recipe(str(tiny))
    model = replace(recipe.model, family="ngram", window=2)
    run = Run(replace(recipe, model=model), tmp_path_factory.mktemp("runs"))
    return run, run.finish("pretrain").path


def test_the_chain_counts_the_rows_and_measures_as_it_measures_others(pretrained: tuple[Run, Path]) -> None:
    run, out = pretrained
    rows = json.loads((out / "metrics.json").read_text())
    row = rows["model"]
    assert {
        "bits_per_byte",
        "loss",
        "tokens_per_second",
        "seconds",
        "parameters",
        "tokens",
        "steps",
    } <= row.keys()
    assert row["tokens"] == 6 * 4 * 64 and row["steps"] == 6
    assert row["bits_per_byte"] < rows["xz"]["bits_per_byte"]
    model, tokenizer = load_model(str(out), "AutoModelForCausalLM"), load_tokenizer(str(out))
    assert row["parameters"] == model.num_parameters()
    held_out = EvaluationRows(
        run.artifact("tokenizer").path / "shards" / "validation", 64, 500, tokenizer.pad_token_id
    )
    nats = 0.0
    for document in held_out.documents:  # each by itself
        said = model(torch.tensor([document])).logits[0].double()
        nats -= sum(said[at, word].item() for at, word in enumerate(document[1:]))
    size = len(tokenizer.decode(held_out.predicted).encode())
    told = bits_per_byte(nats / len(held_out.predicted), len(held_out.predicted), size)
    assert row["bits_per_byte"] == pytest.approx(told, rel=1e-5) and math.isfinite(told)
    written = model.generate(**tokenizer("The film", return_tensors="pt"), max_new_tokens=8)
    assert tokenizer.decode(written[0]).startswith("The film")


def test_a_row_is_counted_once_however_long_the_training(
    pretrained: tuple[Run, Path], tmp_path: Path
) -> None:
    run, _ = pretrained
    declared = run.recipe
    tokenizer = run.artifact("tokenizer").path
    many = replace(declared, pretrain=replace(declared.pretrain, steps=100_000))
    row = pretrain(many, tokenizer, Artifact(tmp_path))["model"]
    assert 6 * 4 * 64 < row["tokens"] < 60_000


def test_fine_tuning_it_is_refused_before_any_work(pretrained: tuple[Run, Path], tmp_path: Path) -> None:
    run, out = pretrained
    begun = Run(run.declared, tmp_path)
    with pytest.raises(
        GroundupError, match=r"task 'sentiment': an n-gram model is a table of counts, which no"
    ):
        begun.finish("finetune/sentiment")
    assert not (tmp_path / "tiny").exists()
    named = replace(run.declared.tasks["sentiment"], model=str(out))
    other = Run(replace(run.declared, tasks={"sentiment": named}), tmp_path)
    with pytest.raises(
        GroundupError, match="an n-gram model is a table of counts, which no gradient changes"
    ):
        other.finish("finetune/sentiment")


def test_training_it_on_is_refused(pretrained: tuple[Run, Path], tmp_path: Path) -> None:
    run, out = pretrained
    settings = replace(run.declared.pretrain, learning_rate=1e-3)
    declared: Recipe = replace(
        run.declared, model=replace(run.declared.model, start=str(out)), pretrain=settings
    )
    with pytest.raises(
        GroundupError, match="an n-gram model is a table of counts, which no gradient changes"
    ):
        Run(declared, tmp_path).finish("pretrain")


def test_the_plan_reckons_with_no_training_and_says_what_would_be_refused(
    pretrained: tuple[Run, Path],
) -> None:
    run, _ = pretrained
    assert list(trainings_of(run.recipe, {})) == []
    said = [problem for problem in problems_of(run.recipe) if "a table of counts" in problem]
    assert len(said) == len(run.recipe.tasks)


def test_a_published_one_is_taken_as_it_is(pretrained: tuple[Run, Path], tmp_path: Path) -> None:
    run, published = pretrained
    settings = replace(run.declared.pretrain, steps=0)
    start = replace(run.declared.model, start=str(published))
    out = Artifact(tmp_path)
    pretrain(replace(run.declared, model=start, pretrain=settings), published, out)
    wanted, found = (load_model(str(place), "AutoModelForCausalLM") for place in (published, tmp_path))
    assert all(torch.equal(w, found.state_dict()[name]) for name, w in wanted.state_dict().items())
