"""What the quickstart is compared with: a model of its size on its text, trained with nanoGPT's defaults.

GPT-2's architecture, AdamW at 6e-4 with betas of 0.9 and 0.95 and a decay of 0.1, gradients clipped at 1, cosine to a
tenth of the peak rate (github.com/karpathy/nanoGPT, train.py). The warm-up is the 2 % of its configuration for a small
text: the 2,000 steps of train.py are more than there are here. Biases, which it leaves out, are as in GPT-2.
"""

from dataclasses import replace

from pipeline.recipe import Pretrain
from recipes.quickstart import recipe as quickstart

recipe = replace(
    quickstart,
    name="nanogpt",
    model=replace(quickstart.model, family="gpt2"),
    pretrain=Pretrain(
        steps=300,
        evaluate_every=60,
        global_batch=16,
        micro_batch=16,
        optimizer="adamw",
        learning_rate=6e-4,
        betas=(0.9, 0.95),
        weight_decay=0.1,
        schedule="cosine",
        warmup=0.02,
        final_rate=0.1,
        gradient_clipping=1.0,
        prompts=quickstart.pretrain.prompts,
    ),
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["run", "--recipe", __file__, *sys.argv[1:]]))
