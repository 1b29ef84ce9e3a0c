"""Keep weights that the exporter folds in the precision of the others."""

from __future__ import annotations

from typing import Any

from archspec.model.ports import DTypeName


def keep_dtype(graph: Any, dtype: DTypeName) -> None:
    """Convert convolution weights that the exporter left in float32 to the dtype of their inputs.

    Batch norms are folded into convolutions in float32; for bfloat16 the exporter does not convert the result back.
    """
    import onnx_ir

    if dtype != "bfloat16":
        return
    for node in graph.all_nodes():
        folded = (value for value in node.inputs[1:] if value is not None) if node.op_type == "Conv" else ()
        for value in folded:
            if value.const_value is not None and value.const_value.dtype == onnx_ir.DataType.FLOAT:
                array = value.const_value.numpy().astype(onnx_ir.DataType.BFLOAT16.numpy())
                value.const_value = onnx_ir.Tensor(array, name=value.name)
                value.dtype = onnx_ir.DataType.BFLOAT16
