"""A tiny recipe and small data in every form that a task reads, from a few words and a fixed seed."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

RECIPE = """
from pipeline.recipe import Corpus, Finetune, Model, Pretrain, Recipe, Tokenizer

quick = dict(steps=4, global_batch=4, micro_batch=4, max_tokens=64, max_new_tokens=8, log_every=1)
recipe = Recipe(
    name="tiny",
    held_out=0.1,
    corpus=Corpus(sources=("DATA/corpus.txt", "DATA/reviews.csv"), minimum_characters=20, near_duplicates=0.9),
    tokenizer=Tokenizer(vocabulary=400),
    model=Model(depth=2, width=64, context=64),
    pretrain=Pretrain(steps=6, global_batch=4, micro_batch=4, compile="no", evaluation_tokens=500,
                      evaluate_every=3, checkpoint_every=2, log_every=1, precision="float32", prompts=("The film",)),
    tasks={
        "sentiment": Finetune(data="DATA/reviews.csv", label_names=("negative", "positive"), **quick),
        "translation": Finetune(data="DATA/pairs.jsonl", text_column="source", label_column="target", **quick),
        "qa": Finetune(data="DATA/squad.json", **quick),
        "summarization": Finetune(data="DATA/summaries.jsonl", label_column="summary", **quick),
        "chat": Finetune(data="DATA/chats.jsonl", text_column="messages", **quick),
    },
)
"""

LINEAGE = """
from dataclasses import replace
from pathlib import Path

from pipeline.recipe import Model, Rung
from pipeline.recipe_files import load_recipe

tiny = load_recipe(str(Path(__file__).with_name("tiny.py")))
small = Model(depth=1, width=64)
recipe = replace(
    tiny,
    tokenizer=replace(tiny.tokenizer, mask=True),
    pretrain=replace(tiny.pretrain, prompts=()),
    tasks={name: replace(tiny.tasks[name], from_scratch=False) for name in ("sentiment", "translation", "chat")},
    lineage={
        "bert": Rung(year=2018, changed="both sides", model=replace(small, family="bert"), objective="masked"),
        "gpt2": Rung(year=2019, paper="Radford", changed="attention", model=replace(small, family="gpt2")),
        "llama": Rung(year=2023, paper="Touvron", changed="rotary positions", model=replace(small, family="llama")),
    },
)
"""

NOUNS = ["film", "story", "actor", "scene", "script", "score", "ending", "plot", "camera", "dialogue"]
GOOD = ["wonderful", "moving", "clever", "bright", "warm", "honest"]
BAD = ["dull", "clumsy", "empty", "loud", "slow", "false"]
PLACES = ["the harbour", "a small town", "the northern valley", "an old theatre", "the river"]


def write_data(directory: Path) -> None:
    """Small data in every form that a task reads, from a few words and a fixed seed."""
    chance = random.Random(0)
    directory.mkdir(parents=True, exist_ok=True)

    def sentence(words: list[str]) -> str:
        return (
            f"The {chance.choice(NOUNS)} in {chance.choice(PLACES)} was {chance.choice(words)}, "
            f"and the {chance.choice(NOUNS)} stayed {chance.choice(words)} for {chance.randint(2, 900)} minutes."
        )

    paragraphs = [" ".join(sentence(GOOD + BAD) for _ in range(4)) for _ in range(120)]
    (directory / "corpus.txt").write_text("\n\n".join(paragraphs), "utf-8")
    with (directory / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(120):
            writer.writerow([f"{sentence((BAD, GOOD)[number % 2])} Take {number}.", number % 2])
    _write_lines(
        directory / "pairs.jsonl",
        [
            {
                "source": f"Open the {noun} %({noun})s number {n}",
                "target": f"Ouvrir {noun} %({noun})s numéro {n}",
            }
            for n, noun in enumerate(NOUNS * 6)
        ],
    )
    articles = []
    for number, noun in enumerate(NOUNS * 4):
        context = (
            f"The {noun} number {number} was found in {chance.choice(PLACES)}. It weighs {number + 3} grams."
        )
        answer = f"{number + 3} grams"
        articles.append(
            {
                "title": f"{noun} {number}",
                "paragraphs": [
                    {
                        "context": context,
                        "qas": [
                            {
                                "id": f"{number}-a",
                                "question": f"How much does the {noun} weigh?",
                                "answers": [{"text": answer, "answer_start": context.index(answer)}],
                            },
                            {
                                "id": f"{number}-b",
                                "question": "Who painted it?",
                                "answers": [],
                                "is_impossible": True,
                            },
                        ],
                    }
                ],
            }
        )
    (directory / "squad.json").write_text(json.dumps({"version": "2.0", "data": articles}), "utf-8")
    _write_lines(
        directory / "summaries.jsonl",
        [
            {"text": f"{sentence(GOOD)} {sentence(BAD)}", "summary": f"A {noun} with two sides, take {n}."}
            for n, noun in enumerate(NOUNS * 5)
        ],
    )
    _write_lines(
        directory / "chats.jsonl",
        [
            {
                "messages": [
                    {"role": "user", "content": f"Did you like the {noun} of day {n}?"},
                    {"role": "assistant", "content": f"Yes, it was {chance.choice(GOOD)}."},
                ]
            }
            for n, noun in enumerate(NOUNS * 5)
        ],
    )


def _write_lines(file: Path, rows: list[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def write_recipe(data: Path) -> Path:
    """The recipe, beside its data."""
    path = data / "tiny.py"
    path.write_text(RECIPE.replace("DATA", str(data)))
    return path


def write_lineage(data: Path) -> Path:
    """A recipe of the same name, text and budget with rungs, beside it."""
    path = data / "rungs.py"
    path.write_text(LINEAGE)
    return path
