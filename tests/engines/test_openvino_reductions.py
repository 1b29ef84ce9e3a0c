"""Arithmetic with the sums, extremes and products of integers gives in OpenVINO what it gives in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.engines.openvino_reductions import keep_reductions

openvino = pytest.importorskip("openvino")
GIVEN = np.random.default_rng(0).integers(1, 5, (3, 2, 4))
REDUCTIONS: dict[str, Callable[..., Any]] = {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod}
ARITHMETIC: dict[str, Callable[[Any], Any]] = {
    "left": lambda x: 9 - x,
    "more": lambda x: x + 3,
    "times": lambda x: x * 5,
    "half": lambda x: x // 2,
    "negative": lambda x: -x,
    "floats": lambda x: (x + 3).astype(np.float32),
}


def in_openvino(x: Any) -> dict[str, Any]:
    from openvino import opset8

    def number(value: int) -> Any:
        return opset8.constant(np.array(value))

    return {
        "left": opset8.subtract(number(9), x),
        "more": opset8.add(x, number(3)),
        "times": opset8.multiply(x, number(5)),
        "half": opset8.divide(x, number(2)),
        "negative": opset8.negative(x),
        "floats": opset8.convert(opset8.add(x, number(3)), "f32"),
    }


@pytest.mark.parametrize("operation", ARITHMETIC)
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("axes", [(-1,), (1,), (0,), (1, 2)])
def test_arithmetic_with_what_is_reduced(axes: tuple[int, ...], keep: bool, operation: str, tmp_path: Path) -> None:
    from openvino import opset8

    data = opset8.parameter([-1, -1, 4], np.int64, name="data")
    # Each has one reader alone, or the runtime would not join them.
    results = [
        in_openvino(getattr(opset8, f"reduce_{name}")(data, np.array(axes), keep))[operation] for name in REDUCTIONS
    ]
    model = openvino.Model(results, [data])
    keep_reductions(model)
    openvino.save_model(model, tmp_path / "model.xml", compress_to_fp16=False)
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(tmp_path / "model.xml"), "CPU")
    found = compiled([GIVEN])
    for place, reduce in enumerate(REDUCTIONS.values()):
        wanted = ARITHMETIC[operation](reduce(GIVEN, axes, keepdims=keep))
        np.testing.assert_array_equal(found[place], wanted, strict=True)


def test_a_sum_that_is_itself_returned() -> None:
    from openvino import opset8

    data = opset8.parameter([-1, -1], np.bool_, name="data")
    total = opset8.reduce_sum(opset8.convert(data, "i64"), np.array([1]))
    model = openvino.Model([total], [data])
    keep_reductions(model)
    given = GIVEN[..., 0] > 2
    found = openvino.Core().compile_model(model, "CPU")([given])[0]
    np.testing.assert_array_equal(found, given.sum(1), strict=True)
