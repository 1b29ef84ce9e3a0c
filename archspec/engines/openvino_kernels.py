"""Kernels of integers for one position, in a form that OpenVINO compiles.

Its pass `ConvertWeightCompressedConv1x1ToMatmul` takes a convolution by such a kernel, between any two operators that
reshape or transpose by constants, for one of channels that come last. After a pooling, the model then has no valid
shapes. The pass knows kernels [out, in, 1, 1] of integers, not [out, in] that are reshaped.
"""

from __future__ import annotations

from typing import Any

_MOVES = ("Reshape", "Transpose")


def keep_kernels(model: Any) -> None:
    """Store the integers of each such kernel in a model of OpenVINO as [out, in], and reshape their values."""
    from openvino import opset8

    for node in model.get_ordered_ops():
        if node.get_type_name() != "Convolution" or node.input_value(0).get_node().get_type_name() not in _MOVES:
            continue
        values = node.input_value(1)
        integers = _integers(values.get_node())
        if integers is not None and all(size == 1 for size in integers.shape[2:]):
            wide = opset8.convert(integers.reshape(integers.shape[:2]), values.get_element_type().to_string())
            # One scale for each output.
            scales = opset8.reshape(values.get_node().input_value(1), [-1, 1], special_zero=False)
            kernel = opset8.reshape(opset8.multiply(wide, scales), [*integers.shape], special_zero=False)
            node.input(1).replace_source_output(kernel.output(0))
    model.validate_nodes_and_infer_types()


def _integers(values: Any) -> Any:
    """The integers that are converted and multiplied with scales, as an array; None for values of another kind."""
    if values.get_type_name() != "Multiply":
        return None
    converted = values.input_value(0).get_node()
    source = converted.input_value(0).get_node() if converted.get_type_name() == "Convert" else converted
    return source.data if source is not converted and source.get_type_name() == "Constant" else None
