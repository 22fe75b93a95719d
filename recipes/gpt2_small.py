"""GPT-2 small (124 M parameters) on ten billion tokens of FineWeb-Edu, streamed from the Hub: one 80 GB GPU.

    accelerate launch --config_file recipes/launch/gpu.yaml -m pipeline pretrain --recipe gpt2_small

The depth of GPT-2 (Radford et al., 2019), 0.5 M tokens a step, and about four times the 2.5 billion
tokens that are compute-optimal for its size (Hoffmann et al., 2022).
"""

from pipeline.recipe import Corpus, Finetune, Model, Pretrain, Recipe, Tokenizer

recipe = Recipe(
    name="gpt2_small",
    held_out=0.001,
    corpus=Corpus(
        sources=("hub:HuggingFaceFW/fineweb-edu:sample-10BT",),
        megabytes=48_000,
        near_duplicates=0.0,  # the data set is deduplicated
        mask_personal_data=False,  # and masked
    ),
    tokenizer=Tokenizer(vocabulary=50_304, training_megabytes=1000),
    model=Model(family="gpt2", depth="gpt2-small"),
    pretrain=Pretrain(
        steps=19_000,
        global_batch=512,
        micro_batch=32,
        learning_rate=1e-3,
        weight_decay=0.1,
        evaluation_tokens=2_000_000,
        evaluate_every=1000,
        checkpoint_every=1000,
        prompts=("The history of science", "Water boils when"),
    ),
    tasks={
        "sentiment": Finetune(
            data="hub:stanfordnlp/imdb",
            max_tokens=512,
            steps=2000,
            learning_rate=5e-5,
        ),
        "qa": Finetune(data="hub:rajpurkar/squad", max_tokens=384, steps=5000, learning_rate=5e-5),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
