"""What the machine computes on and in."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from transformers import PreTrainedModel
from transformers.utils import is_flash_attn_2_available, is_liger_kernel_available

from pipeline.recipe import Attention, Compile, Precision

_WORTH_COMPILING = {"cpu": 2e13, "cuda": 2e16}
"""FLOPs of a training from which on compilation, 10 to 40 seconds, gains more than it costs."""
_WORTH_ANY_SHAPE = {"cpu": 5e13, "cuda": math.inf}
"""The same of kernels for any shape: a minute, and they gain a quarter; on GPUs they were not measured."""
_LOOPS = ("lstm",)
"""Families whose layers go from token to token."""
_EAGER_CONTEXT = 512
"""Longest rows whose attention matrices are best written out on a CPU (docs/performance.md)."""


@dataclass(frozen=True)
class Choice:
    """How a training computes on this machine."""

    bfloat16: bool
    compiles: bool
    attention: str
    """One of transformers' attention implementations."""
    any_shape: bool = False
    """Whether what is compiled is for batches of ever new shapes."""

    @property
    def liger(self) -> bool:
        """Whether Liger's kernels, where installed, do the elementwise work; what is compiled has its own."""
        return torch.cuda.is_available() and not self.compiles and is_liger_kernel_available()

    def __str__(self) -> str:
        device = (
            torch.cuda.get_device_name()
            if torch.cuda.is_available()
            else f"{torch.get_num_threads()} threads"
        )
        number = "bfloat16" if self.bfloat16 else "float32"
        shapes = " for any shape" if self.any_shape else ""
        compiled = f"compiled{shapes}" if self.compiles else "not compiled"
        if self.liger:
            compiled += ", Liger's kernels"
        return f"{number}, {compiled}, attention {self.attention}, {device}"


def compiling(setting: Compile, family: str) -> Compile:
    """The setting, but auto leaves alone what torch.compile does not quicken: a loop over the tokens of a document.

    Args:
        setting: of the recipe.
        family: the model_type.
    """
    return "no" if setting == "auto" and family in _LOOPS else setting


def choose(
    precision: Precision, compiles: Compile, attention: Attention, flops: float, context: int
) -> Choice:
    """What the settings say, and where they leave it open, what suits the machine and the length of the training.

    Args:
        precision, compiles, attention: settings; auto leaves it open.
        flops: of the whole training.
        context: tokens in a row.
    """
    compiled = _compiles(compiles, flops, _WORTH_COMPILING)
    return Choice(
        takes_bfloat16(precision),
        compiled,
        _attention(compiled, context) if attention == "auto" else attention,
    )


def choose_for_many_shapes(precision: Precision, compiles: Compile, flops: float, longest: int) -> Choice:
    """The same for batches of ever new shapes.

    Args:
        precision, compiles: settings; auto leaves it open.
        flops: of the whole training.
        longest: tokens in a row.
    """
    bfloat16 = takes_bfloat16(precision)
    on_cpu = _attention_on_cpu(bfloat16, longest)
    return Choice(
        bfloat16,
        _compiles(compiles, flops, _WORTH_ANY_SHAPE),
        "sdpa" if torch.cuda.is_available() else on_cpu,
        any_shape=True,
    )


def _compiles(setting: Compile, flops: float, worth: Mapping[str, float]) -> bool:
    pays = flops >= worth["cuda" if torch.cuda.is_available() else "cpu"]
    return (pays if setting == "auto" else setting == "yes") and can_compile()


def takes_bfloat16(precision: Precision) -> bool:
    """Whether to compute in bfloat16 here."""
    return computes_in_bfloat16() if precision == "auto" else precision == "bfloat16"


def _attention(compiled: bool, context: int) -> Attention:
    """Variable-length kernels on GPUs."""
    if torch.cuda.is_available():
        if is_flash_attn_2_available():
            return "flash_attention_2"
        return "flex_attention" if compiled else "sdpa"
    return _attention_on_cpu(compiled, context)


def _attention_on_cpu(plain_is_fast: bool, context: int) -> Attention:
    """Short rows as plain matrix products where these are fused or in bfloat16, for which torch's kernel is slow."""
    return "eager" if plain_is_fast and context <= _EAGER_CONTEXT else "sdpa"


def can_compile() -> bool:
    """Whether torch.compile finds what it needs: Triton for GPUs, a C++ compiler for CPUs."""
    if torch.cuda.is_available():
        return torch.utils._triton.has_triton()
    return shutil.which("g++") is not None or shutil.which("clang++") is not None


def use_physical_cores() -> None:
    """One thread for each physical core that this process may use; OMP_NUM_THREADS, where set, stands."""
    if "OMP_NUM_THREADS" not in os.environ:
        logical = psutil.cpu_count() or 1
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical
        physical = psutil.cpu_count(logical=False) or logical
        share = allowed * physical // logical // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        torch.set_num_threads(max(1, share))


def compute_the_same_twice() -> None:
    """Let torch sum in one order, whatever the timing of threads, wherever it has an operator that does.

    Compiled for a CPU, the gradient of an embedding would else be summed as threads come by. Where there is no such
    operator torch says which one it is, and goes on.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what it has not written
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS takes to promise the same


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
