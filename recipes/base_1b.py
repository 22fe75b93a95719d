"""About a billion parameters on twenty billion tokens of FineWeb-Edu: FSDP2, several GPUs and nodes.

    accelerate launch --config_file recipes/launch/fsdp2.yaml -m pipeline pretrain --recipe base_1b
    sbatch --nodes 4 recipes/launch/slurm.sh base_1b

Shape, tokens (20 a parameter), batch and learning rate follow from the dial (docs/models.md). AdamW, whose state
FSDP2 and ZeRO-3 shard by themselves.
"""

from pipeline.recipe import Corpus, Finetune, Model, Pretrain, Recipe, Tokenizer

recipe = Recipe(
    name="base_1b",
    held_out=0.0005,
    corpus=Corpus(
        sources=("hub:HuggingFaceFW/fineweb-edu:sample-100BT",),
        megabytes=95_000,
        near_duplicates=0.0,  # the data set is deduplicated
        mask_personal_data=False,  # and masked
    ),
    tokenizer=Tokenizer(vocabulary=65_536, training_megabytes=2000),
    model=Model(family="qwen3", depth="1b"),
    pretrain=Pretrain(
        micro_batch=8,
        optimizer="adamw",
        weight_decay=0.1,
        evaluation_tokens=5_000_000,
        evaluate_every=2000,
        checkpoint_every=500,
        prompts=("The history of science", "Water boils when"),
    ),
    tasks={
        "chat": Finetune(
            data="hub:HuggingFaceTB/smoltalk:everyday-conversations",
            text_column="messages",
            max_tokens=2048,
            max_new_tokens=256,
            steps=1000,
            micro_batch=4,
            learning_rate=2e-5,
            from_scratch=False,
        ),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
