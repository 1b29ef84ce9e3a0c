"""A gather of the first part of an axis compiles in OpenVINO, and gives what NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.engines.openvino_slices import keep_slices

openvino = pytest.importorskip("openvino")


@pytest.mark.parametrize(("start", "end"), [(0, 10), (0, -8), (8, 18)])
def test_a_gather_of_a_part_of_each_entry(start: int, end: int) -> None:
    from openvino import opset8

    data = opset8.parameter([-1, 2, -1, 18], np.float32, name="data")
    places = opset8.parameter([-1, 2, -1, 10], np.int64, name="places")
    part = opset8.slice(data, np.array([start]), np.array([end]), np.array([1]), np.array([3]))
    model = openvino.Model([opset8.gather_elements(part, places, 2)], [data, places])
    keep_slices(model)
    assert "Slice" not in [node.get_type_name() for node in model.get_ops()]
    compiled = openvino.Core().compile_model(model, "CPU")
    drawn = np.random.default_rng(0)
    entries = drawn.normal(size=(3, 2, 5, 18)).astype(np.float32)
    at = drawn.integers(0, 5, (3, 2, 5, 10))
    found = compiled([entries, at])[0]
    np.testing.assert_array_equal(found, np.take_along_axis(entries[..., start:end], at, axis=2))
