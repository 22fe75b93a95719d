"""The most that a device computes: what model FLOPs utilisation is a share of."""

from __future__ import annotations

from functools import cache

import torch

from pipeline.model.cost import measured_flops_per_second

_DATA_SHEETS = {
    "B200": 2250e12,
    "H200 NVL": 835e12,
    "H200": 989e12,
    "H100 NVL": 835e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "GH200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
    "MI300X": 1307e12,
}
"""FLOP/s of dense matrix products in bfloat16, summed in float32, by the makers' data sheets (those that give
numbers with sparsity give twice as much). The first name whose words are all in the device's own holds."""


def peak_flops_per_second(bfloat16: bool, teraflops: float = 0.0) -> float:
    """Peak of one device that training runs on.

    Args:
        bfloat16: whether training computes in it. Only a measured peak depends on it: that of a data sheet is the
            one in bfloat16, so training in float32 shows what it leaves unused.
        teraflops: what a user says the peak is, in 10¹² FLOP/s; 0 takes the data sheet, and for devices without
            one here, CPUs among them, the measured speed of a large matrix product.

    Returns:
        FLOP/s.
    """
    if teraflops:
        return teraflops * 1e12
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return data_sheet_flops_per_second(name) or _measured(bfloat16)


def data_sheet_flops_per_second(device: str) -> float:
    """Of a device by the name that its driver gives, such as NVIDIA H100 80GB HBM3; 0 where it is not known."""
    said = set(device.replace("-", " ").split())
    if "Laptop" in said:  # slower chips under the same name
        return 0.0
    return next((peak for words, peak in _DATA_SHEETS.items() if set(words.split()) <= said), 0.0)


@cache
def _measured(bfloat16: bool) -> float:
    """Once in a process: it takes half a second."""
    return measured_flops_per_second(bfloat16)
