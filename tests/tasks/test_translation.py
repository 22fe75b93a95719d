"""Translation: columns and formats, both directions in one model, languages of multilingual tokenizers, decoding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, M2M100Config, NllbTokenizer

from pipeline.checks import check
from pipeline.errors import GroundupError
from pipeline.evaluate.predict import Continuation, continuations
from pipeline.evaluate.repetition import repetition
from pipeline.model.families import model_config
from pipeline.recipe import Corpus, Finetune, Model, Recipe, Tokenizer
from pipeline.sources import Row
from pipeline.tasks import task_named
from pipeline.tasks.base import IGNORED, Example
from pipeline.tasks.summarization import Summarization
from pipeline.tasks.translation import Translation
from pipeline.tokenizer.train import train_tokenizer
from pipeline.train.data.examples import read_examples
from pipeline.train.generation import generation_config

PAIRS = [(f"the {n} house", f"casa {n}") for n in range(40)]
ROMANIAN = {"text_column": "en", "label_column": "ro"}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer([" ".join(pair) for pair in PAIRS] * 3, Tokenizer(), vocabulary=330, context=64)


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    config = model_config(
        Model(depth=1, width=64, context=64), len(tokenizer), eos_token_id=tokenizer.eos_token_id
    )
    return AutoModelForCausalLM.from_config(config)


def _translation(**settings: Any) -> Translation:
    task = task_named("translation", Finetune(**settings))
    assert isinstance(task, Translation)
    return task


def _written(suffix: str) -> str:
    if suffix == ".jsonl":
        return "\n".join(json.dumps({"id": 7, "translation": {"en": en, "ro": ro}}) for en, ro in PAIRS)
    if suffix == ".tsv":
        return "en\tro\n" + "\n".join(map("\t".join, PAIRS))
    if suffix == ".po":
        return "\n\n".join(f'msgid "{en}"\nmsgstr "{ro}"' for en, ro in PAIRS)
    units = (
        f'<tu><tuv xml:lang="ro-RO"><seg>{ro}</seg></tuv><tuv xml:lang="de"><seg>-</seg></tuv>'
        f'<tuv xml:lang="en-GB"><seg>{en}</seg></tuv></tu>'
        for en, ro in PAIRS
    )
    return f'<tmx version="1.4"><header/><body>{"".join(units)}</body></tmx>'


@pytest.mark.parametrize("suffix", [".jsonl", ".tsv", ".po", ".tmx"])
def test_columns_of_every_format(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"pairs{suffix}"
    file.write_text(_written(suffix))
    parts = read_examples(_translation(data=str(file), **ROMANIAN), 0.1, 0)
    found = [(e.fields["source"], e.fields["target"]) for e in (*parts.train, *parts.held_out)]
    assert sorted(found) == sorted(PAIRS)
    if suffix != ".po":
        back = read_examples(_translation(data=str(file), text_column="ro", label_column="en"), 0.1, 0)
        assert {(e.fields["target"], e.fields["source"]) for e in back.train} <= set(PAIRS)


def test_both_directions_stay_on_one_side(tmp_path: Path) -> None:
    chained = [*PAIRS, ("the 3 house", "locuința 3"), ("the third house", "locuința 3")]
    file = tmp_path / "pairs.tsv"
    file.write_text("en\tro\n" + "\n".join(map("\t".join, chained)))
    task = _translation(data=str(file), both_directions=True, **ROMANIAN)
    for seed in range(5):
        parts = read_examples(task, 0.2, seed)
        assert len(parts.train) + len(parts.held_out) == 2 * len(chained)
        sides = [
            {text for e in part for text in (e.fields["source"], e.fields["target"])}
            for part in (parts.train, parts.held_out)
        ]
        assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert {(e.fields["into"], e.fields["source"].startswith("the")) for e in parts.train} == {
        ("ro", True),
        ("en", False),
    }
    assert {task.kind(e) for e in parts.held_out} == {"into en", "into ro"}


def test_the_language_to_write_stands_in_the_prompt(tokenizer: Any, model: Any) -> None:
    task = _translation(both_directions=True, max_tokens=32, **ROMANIAN)
    there, back = task.examples([Row({"en": "the 3 house", "ro": "casa 3"}, "row 1")])
    features = [task.encode(e.fields, tokenizer, model.config) for e in (there, back)]
    texts = [tokenizer.decode(f["input_ids"][0]) for f in features]
    assert texts == ["the 3 house\n=> ro\ncasa 3<|endoftext|>", "casa 3\n=> en\nthe 3 house<|endoftext|>"]
    kept = [tokenizer.decode([i for i in f["labels"][0] if i != IGNORED]) for f in features]
    assert kept == ["casa 3<|endoftext|>", "the 3 house<|endoftext|>"]
    assert task.asked("casa", "en_GB").fields["into"] == "en"
    with pytest.raises(GroundupError, match="it translates into en and ro, not into 'fr'"):
        task.asked("casa", "fr")
    one_way = _translation(**ROMANIAN)
    assert one_way.asked("casa", "fr").fields == {"source": "casa", "target": ""}


def _nllb() -> Any:
    letters = dict.fromkeys("▁ abcdefghijklmnopqrstuvwxyz0123456789{}")
    vocabulary = {name: i for i, name in enumerate(["<s>", "<pad>", "</s>", "<unk>", *letters])}
    return NllbTokenizer(vocab=vocabulary, merges=[], additional_special_tokens=["eng_Latn", "ron_Latn"])


def test_a_multilingual_tokenizer_marks_both_languages(tmp_path: Path) -> None:
    tokenizer, config = _nllb(), M2M100Config()
    english, romanian = (tokenizer.convert_tokens_to_ids(code) for code in ("eng_Latn", "ron_Latn"))
    task = _translation(
        both_directions=True, source_language="eng_Latn", target_language="ron_Latn", **ROMANIAN
    )
    task.prepare_tokenizer(tokenizer)
    assert task.generation(tokenizer)["forced_bos_token_id"] == romanian
    there, back = task.examples([Row({"en": "house", "ro": "casa"}, "row 1")])
    for example, reads, writes in ((there, english, romanian), (back, romanian, english)):
        features = task.encode(example.fields, tokenizer, config)
        (read,), (written,) = features["input_ids"], features["labels"]
        assert (read[0], read[-1], written[0], written[-1]) == (reads, 2, writes, 2)
        assert tokenizer.decode(written, skip_special_tokens=True) == example.fields["target"]
    assert task.asked("casa", "eng").fields["into"] == "eng_Latn"
    one_way = _translation(source_language="eng_Latn", target_language="ron_Latn", **ROMANIAN)
    one_way.prepare_tokenizer(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert (again.src_lang, again.tgt_lang) == ("eng_Latn", "ron_Latn")
    with pytest.raises(GroundupError, match="knows no language 'ro'; name it as the tokenizer does"):
        _translation(source_language="eng_Latn", target_language="ro").prepare_tokenizer(tokenizer)


class Said(Summarization):
    """What is said depends on the beams alone, which a model's configuration tells."""

    def predict(self, model: Any, tokenizer: Any, examples: Any) -> list[dict[str, Any]]:
        config = model.generation_config
        good = (config.num_beams, config.length_penalty) == (4, 0.6)
        return [{"prediction": e.fields["summary"] if good else "nothing"} for e in examples]


def test_the_best_beams_of_the_validation_part_are_kept(model: Any, tokenizer: Any) -> None:
    settings = Finetune(beams=(1, 4), length_penalties=(1.0, 0.6, 1.4))
    task = Said(settings)
    model.generation_config = generation_config(task, tokenizer, model)
    examples = [Example({"text": "a", "summary": f"the {n} house"}, "", str(n)) for n in range(3)]
    assert task.validates and task.settle(model, tokenizer, []) == {}
    settled = task.settle(model, tokenizer, examples)
    assert settled == {"num_beams": 4, "length_penalty": 0.6, "validation_rougeL": 1.0}
    assert (model.generation_config.num_beams, model.generation_config.length_penalty) == (4, 0.6)
    greedy = Said(Finetune())
    assert not greedy.validates and greedy.settle(model, tokenizer, examples) == {}
    poor = Said(Finetune(beams=(1, 2)))
    assert poor.settle(model, tokenizer, examples)["num_beams"] == 1  # the first of equals
    assert (model.generation_config.num_beams, model.generation_config.length_penalty) == (1, 1.0)


def test_beams_are_the_library_s_own_and_no_batch_changes_them(model: Any, tokenizer: Any) -> None:
    prompts = [tokenizer(text)["input_ids"] for text in ("the 3 house", "the", "the 17 house the 5")]
    model.generation_config = GenerationConfig(num_beams=3, eos_token_id=tokenizer.eos_token_id)
    together = continuations(model, tokenizer, prompts, 4, 10_000)
    assert together == continuations(model, tokenizer, prompts, 4, 1)
    for prompt, said in zip(prompts, together, strict=True):
        own = model.generate(input_ids=torch.tensor([prompt]), num_beams=3, max_new_tokens=4, do_sample=False)
        written = own[0, len(prompt) :]
        text = tokenizer.decode(written).strip()
        assert said == Continuation(text, ended=False, ids=tuple(written.tolist()))


@pytest.mark.parametrize("name", ["translation", "chat"])
def test_sampling_is_saved_and_nothing_measured_is_sampled(
    name: str, model: Any, tokenizer: Any, tmp_path: Path
) -> None:
    task = task_named(name, Finetune(temperature=0.7, top_p=0.9, max_new_tokens=9))
    task.prepare_tokenizer(tokenizer)
    made = generation_config(task, tokenizer, model)
    assert made is not None
    made.save_pretrained(tmp_path)
    saved = GenerationConfig.from_pretrained(tmp_path)
    assert (saved.do_sample, saved.temperature, saved.top_p, saved.max_new_tokens) == (True, 0.7, 0.9, 9)
    model.generation_config = saved
    prompts = [tokenizer("the 3 house")["input_ids"]] * 2
    one, other = continuations(model, tokenizer, prompts, 8, 10_000)
    assert one == other
    plain = generation_config(task_named(name, Finetune()), tokenizer, model)
    assert plain is not None and not plain.do_sample


def test_repetition() -> None:
    loop = "to be or not " * 3
    score = repetition([loop, "a b c d e f", "", "北京 北京"]).score()
    assert score["looping"] == 1 / 4
    # Pairs that differ, of all pairs: 4 of 11; 5 of 5; none of none; 京北 and 北京, of 3.
    assert score["distinct_2"] == pytest.approx((4 + 5 + 0 + 2) / (11 + 5 + 0 + 3))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"beams": ()}, "--tasks.translation.beams"),
        ({"beams": (0, 4)}, "--tasks.translation.beams"),
        ({"length_penalties": ()}, "--tasks.translation.length-penalties"),
        ({"temperature": -1.0}, "--tasks.translation.temperature"),
        ({"temperature": 1.0, "top_p": 0.0}, "--tasks.translation.top-p"),
        ({"top_p": 0.9}, "set --tasks.translation.temperature too"),
    ],
)
def test_settings_of_writing_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    recipe = Recipe(corpus=Corpus(sources=("a.txt",)), tasks={"translation": Finetune(**settings)})
    with pytest.raises(GroundupError, match=said):
        check(recipe)
