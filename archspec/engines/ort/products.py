"""Products with weights as ONNX Runtime computes them fastest for few rows."""

from __future__ import annotations

from typing import Any


def product(x: Any, weight: Any, bias: Any = None) -> Any:
    """Write `F.linear`; arguments are those of torch's operator.

    The exporter writes `Gemm` for x [b, i], which reads weights [o, i] row by row; the runtime stores the weights of a
    `MatMul` in the order in which it reads them.
    """
    from onnxscript import opset18 as op

    made = op.MatMul(x, op.Transpose(weight, perm=[1, 0]))
    return made if bias is None else op.Add(made, bias)
