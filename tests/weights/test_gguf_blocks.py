"""Blocks as integers and scales, against the reading of the package `gguf`: random bytes, and odd scales."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from archspec.weights.gguf.blocks import PACKINGS, pack

gguf = pytest.importorskip("gguf")

SCALES = {"Q6_K": 208, "Q3_K": 108}
"""Where the scale of a block is; in other formats it comes first."""
ODD = np.array([0x0001, 0x83FF, 0x0000, 0x8000, 0x7BFF, 0xFBFF, 0x3C01, 0xBC01], "<u2")
"""The least and the largest subnormal, both zeros, the largest numbers, and two around one."""


def random_blocks(format: str, count: int, seed: int) -> NDArray[np.uint8]:
    """Blocks of random bytes, of which some have odd scales."""
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 256, (count, gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[format]][1]), dtype=np.uint8)
    made[: len(ODD), SCALES.get(format, 0) :][:, :2] = ODD.view(np.uint8).reshape(-1, 2)
    return made


def decoded(format: str, blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):
        values: NDArray[np.float32] = gguf.dequantize(blocks, gguf.GGMLQuantizationType[format])
    return values


@pytest.mark.parametrize("format", PACKINGS)
@pytest.mark.parametrize("seed", range(3))
def test_the_values_are_those_of_the_package(format: str, seed: int) -> None:
    blocks, packing = random_blocks(format, 400, seed), PACKINGS[format]
    with np.errstate(all="ignore"):
        integers, scales = packing.unpack(blocks)
        # In float64, so that no product is rounded: none of theirs in float32 is, either.
        found = integers.astype(np.float64) * np.repeat(scales.astype(np.float64), packing.group, -1)
    assert (integers.dtype, scales.dtype) == (np.int8, np.float32)
    assert integers.min() >= -(2 ** (packing.bits - 1))
    assert integers.max() < 2 ** (packing.bits - 1)
    expected = decoded(format, blocks)
    finite = np.isfinite(expected)
    assert finite[: len(ODD)].all()
    assert (found[finite] == expected[finite]).all()


@pytest.mark.parametrize("format", ["Q4_0", "Q5_0", "Q8_0", "IQ4_NL"])
def test_the_integers_are_the_values_of_blocks_whose_scale_is_one(format: str) -> None:
    blocks = random_blocks(format, 100, 5)
    integers, scales = PACKINGS[format].unpack(blocks)
    assert (scales[:, 0].astype("<f2").view(np.uint16) == blocks[:, :2].copy().view("<u2")[:, 0])[: len(ODD)].all()
    blocks[:, :2] = np.array([1.0], "<f2").view(np.uint8)
    assert (integers == decoded(format, blocks)).all()


@pytest.mark.parametrize("format", ["Q4_0", "Q8_0"])
def test_blocks_come_back_bit_by_bit(format: str) -> None:
    blocks = random_blocks(format, 400, 7)
    integers, scales = PACKINGS[format].unpack(blocks)
    number = ~np.isnan(scales[:, 0])
    assert (pack(format, integers[number], scales[number, 0]) == blocks[number]).all()
