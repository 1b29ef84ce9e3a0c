"""Integers with scales in networks that TensorRT itself builds: of eight bits, and of four in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engines.network.building import Made, trt

RNG = np.random.default_rng(0)


def added(made: Made, x: np.ndarray, integers: object, scale: np.ndarray, axis: int) -> object:
    """The sum of an input and the values of integers."""
    layer = made.network.add_dequantize(integers, made.constant(scale), trt.float32)
    layer.axis = axis
    return made.network.add_elementwise(made.input(x), layer.get_output(0), trt.ElementWiseOperation.SUM).get_output(0)


@pytest.mark.parametrize("axis", [0, 1])
def test_eight_bits_with_a_scale_for_each_entry_of_an_axis(axis: int) -> None:
    made, x = Made(), RNG.normal(size=(4, 6)).astype(np.float32)
    integers = RNG.integers(-128, 128, size=(4, 6)).astype(np.int8)
    scale = (0.1 + RNG.random((4, 6)[axis])).astype(np.float32)
    (found,) = made.run(added(made, x, made.constant(integers), scale, axis))
    wide = scale[:, None] if axis == 0 else scale[None, :]
    np.testing.assert_allclose(found, x + integers * wide, rtol=1e-6, atol=1e-5)


def test_four_bits_in_blocks() -> None:
    made, x = Made(), RNG.normal(size=(32, 3)).astype(np.float32)
    integers = RNG.integers(-8, 8, size=(32, 3)).astype(np.int8)
    flat = integers.reshape(-1).astype(np.uint8) & 15
    packed = (flat[0::2] | (flat[1::2] << 4)).astype(np.uint8)
    made.kept.append(packed)
    weights = trt.Weights(trt.DataType.INT4, packed.ctypes.data, integers.size)
    constant = made.network.add_constant(integers.shape, weights).get_output(0)
    scale = (0.1 + RNG.random((2, 3))).astype(np.float32)
    (found,) = made.run(added(made, x, constant, scale, 0))
    np.testing.assert_allclose(found, x + integers * np.repeat(scale, 16, axis=0), rtol=1e-6, atol=1e-6)
