"""Convolutions by integers of what is pooled compile in OpenVINO, and give what NumPy gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archspec.engines.openvino_kernels import keep_kernels

openvino = pytest.importorskip("openvino")
DRAWN = np.random.default_rng(0)


def convolved(x: Any, integers: np.ndarray, scales: np.ndarray, bias: np.ndarray) -> Any:
    from openvino import opset8

    values = opset8.multiply(opset8.convert(opset8.constant(integers), "f32"), opset8.constant(scales))
    return opset8.add(opset8.convolution(x, values, [1, 1], [0, 0], [0, 0], [1, 1]), opset8.constant(bias))


def kernel(out: int, features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    integers = DRAWN.integers(-128, 128, size=(out, features, 1, 1)).astype(np.int8)
    scales = (0.01 + 0.01 * DRAWN.random((out, 1, 1, 1))).astype(np.float32)
    return integers, scales, DRAWN.normal(size=(1, out, 1, 1)).astype(np.float32)


def test_channels_are_weighted_by_what_two_kernels_make_of_their_means() -> None:
    from openvino import opset8

    data = opset8.parameter([-1, 4, 5, 7], np.float32, name="data")
    pooled = opset8.reduce_mean(data, np.array([2, 3]))
    pooled = opset8.reshape(pooled, np.array([0, 4, 1, 1]), special_zero=True)
    first, second = kernel(6, 4), kernel(4, 6)
    hidden = opset8.relu(convolved(pooled, *first))
    model = openvino.Model([opset8.multiply(convolved(hidden, *second), data)], [data])
    keep_kernels(model)
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    given = DRAWN.normal(size=(3, 4, 5, 7)).astype(np.float32)
    wanted = given.mean((2, 3))
    for (integers, scales, bias), end in ((first, 0.0), (second, -np.inf)):
        wanted = np.maximum(wanted @ (integers * scales)[:, :, 0, 0].T + bias[:, :, 0, 0], end)
    np.testing.assert_allclose(compiled([given])[0], given * wanted[:, :, None, None], rtol=1e-5, atol=1e-5)
