"""What the machine computes on and in."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from transformers import PreTrainedModel


def computes_in_bfloat16() -> bool:
    """Whether bfloat16 matrix products run in hardware: GPUs since Ampere, CPUs with AVX-512 BF16 or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    info = Path("/proc/cpuinfo")
    flags = info.read_text() if info.is_file() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def on_device(model: PreTrainedModel) -> PreTrainedModel:
    """The model on this process's GPU where there is one."""
    return model.to(f"cuda:{os.environ.get('LOCAL_RANK', '0')}") if torch.cuda.is_available() else model
