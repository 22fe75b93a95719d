"""Settings to a learning-rate schedule of transformers."""

from __future__ import annotations

from typing import Any

from pipeline.recipe import Dpo, Finetune, Grpo, Pretrain


def schedule_arguments(settings: Pretrain | Finetune | Dpo | Grpo) -> dict[str, Any]:
    """The schedule as arguments of ``TrainingArguments``; every one begins with a linear warm-up.

    Warmup-stable-decay falls linearly (Hägele et al., 2024); cosine is that of Loshchilov and Hutter (2017).
    """
    warmup = round(settings.warmup * settings.steps)
    kind, options = "constant_with_warmup", {}
    if settings.schedule == "wsd":
        kind = "warmup_stable_decay"
        options = {
            "num_decay_steps": min(round(settings.decay * settings.steps), settings.steps - warmup),
            "decay_type": "linear",
            "min_lr_ratio": settings.final_rate,
        }
    elif settings.schedule == "cosine":
        kind, options = "cosine_with_min_lr", {"min_lr_rate": settings.final_rate}
    elif settings.schedule == "linear":
        kind = "linear"
    return {"warmup_steps": warmup, "lr_scheduler_type": kind, "lr_scheduler_kwargs": options}
