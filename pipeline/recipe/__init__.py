"""The typed tree of settings: what a recipe says, one file a part of the chain. Its checks are in checks/."""

from pipeline.recipe.aligning import ALIGNED, Align, Dpo, Grpo
from pipeline.recipe.finetuning import Adapter, AdapterKind, Finetune, Privacy
from pipeline.recipe.pretraining import (
    Attention,
    Compile,
    Corruption,
    Model,
    Optimizer,
    Precision,
    Pretrain,
    Size,
    Stream,
)
from pipeline.recipe.text import Corpus, Executor, FilterFamily, Tokenizer
from pipeline.recipe.whole import Plan, Recipe, Rung, Watch

__all__ = [
    "ALIGNED",
    "Adapter",
    "AdapterKind",
    "Align",
    "Attention",
    "Compile",
    "Corpus",
    "Corruption",
    "Dpo",
    "Executor",
    "FilterFamily",
    "Finetune",
    "Grpo",
    "Model",
    "Optimizer",
    "Plan",
    "Precision",
    "Pretrain",
    "Privacy",
    "Recipe",
    "Rung",
    "Size",
    "Stream",
    "Tokenizer",
    "Watch",
]
