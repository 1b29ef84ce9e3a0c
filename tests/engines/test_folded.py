"""Weights that the exporter folds in float32 take the dtype of the rest."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from archspec.engines.folded import keep_dtype
from archspec.model.ports import DTypeName


@pytest.mark.parametrize(("dtype", "kept"), [("bfloat16", ir.DataType.BFLOAT16), ("float32", ir.DataType.FLOAT)])
def test_folded_weights_of_convolutions(dtype: DTypeName, kept: ir.DataType) -> None:
    values = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) / 7
    kernel = ir.Value(
        name="kernel", const_value=ir.Tensor(values, name="kernel"), type=ir.TensorType(ir.DataType.FLOAT)
    )
    x = ir.Value(name="x", type=ir.TensorType(kept))
    node = ir.Node("", "Conv", [x, kernel])
    graph = ir.Graph([x], node.outputs, nodes=[node], initializers=[kernel], opset_imports={"": 18})
    keep_dtype(graph, dtype)
    assert kernel.dtype == kernel.const_value.dtype == kept
    np.testing.assert_allclose(kernel.const_value.numpy().astype(np.float32), values, rtol=2**-8)
