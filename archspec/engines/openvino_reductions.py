"""Reductions of integers, in a form that OpenVINO computes rightly.

It joins a reduction with the arithmetic by constants that comes after it (`k - sum(x)`). For integers, what the joined
operator writes is then wrong from the second entry of the first axis on, and its quotients are rounded, not cut off.
It reduces integers as float32 in any case, so nothing is lost where the network says so itself: between the reduction
and the arithmetic then stands a conversion, and they are not joined.
"""

from __future__ import annotations

from typing import Any

_REDUCTIONS = ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceMean", "ReduceL1", "ReduceL2")


def keep_reductions(model: Any) -> None:
    """Reduce float32 in place of integers in a model of OpenVINO, and convert the result to them."""
    from openvino import opset8

    for node in model.get_ordered_ops():
        kind = node.get_output_element_type(0)
        if node.get_type_name() in _REDUCTIONS and kind.is_integral():
            # The consumers first: the conversion that is made here is one too.
            readers = list(node.output(0).get_target_inputs())
            node.input(0).replace_source_output(opset8.convert(node.input_value(0), "f32").output(0))
            node.validate_and_infer_types()
            integers = opset8.convert(node.output(0), kind.to_string()).output(0)
            for reader in readers:
                reader.replace_source_output(integers)
    model.validate_nodes_and_infer_types()
