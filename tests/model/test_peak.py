"""The peak of a device: by its data sheet, as set, or measured."""

from __future__ import annotations

import pytest

from pipeline.model.peak import data_sheet_flops_per_second, peak_flops_per_second


@pytest.mark.parametrize(
    ("device", "teraflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
        ("NVIDIA GeForce RTX 4090", 165),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 0),
        ("NVIDIA GeForce GTX 1080", 0),
        ("", 0),
    ],
)
def test_a_device_is_known_by_the_name_its_driver_gives(device: str, teraflops: float) -> None:
    assert data_sheet_flops_per_second(device) == teraflops * 1e12


def test_what_is_set_is_taken() -> None:
    assert peak_flops_per_second(bfloat16=True, teraflops=1.5) == 1.5e12
