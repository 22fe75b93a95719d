"""What the machine computes in."""

from __future__ import annotations

from pathlib import Path

import torch


def computes_in_bfloat16() -> bool:
    """Whether bfloat16 matrix products run in hardware: GPUs since Ampere, CPUs with AVX-512 BF16 or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    info = Path("/proc/cpuinfo")
    flags = info.read_text() if info.is_file() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags
