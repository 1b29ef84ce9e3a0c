"""Slices before a gather, in a form that OpenVINO compiles.

Its pass `EliminateSliceBeforeGatherElements` removes a slice from 0 before `GatherElements`, whose entries stand at the
same places of what is sliced. The operator then fails, since sizes of axes that are not gathered must be equal to those
of its indices. The pass knows `Slice`, not `StridedSlice`.
"""

from __future__ import annotations

from typing import Any


def keep_slices(model: Any) -> None:
    """Replace each constant `Slice` before `GatherElements` in a model of OpenVINO by the equal `StridedSlice`."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "GatherElements":
            sliced = node.input_value(0).get_node()
            strided = _strided(sliced) if sliced.get_type_name() == "Slice" else None
            if strided is not None:
                node.input(0).replace_source_output(strided.output(0))
    model.validate_nodes_and_infer_types()


def _strided(node: Any) -> Any:
    """The `StridedSlice` that is equal to a `Slice`; None where its bounds, steps or axes are computed."""
    from openvino import opset8

    data, *given = node.input_values()
    values = [_constant(one) for one in given]
    rank = data.get_partial_shape().rank
    if None in values or len(values) != 4 or rank.is_dynamic:
        return None
    size = rank.get_length()
    starts, ends, steps = [0] * size, [0] * size, [1] * size
    # 1 marks an axis that is taken whole.
    whole = [1] * size
    for start, end, step, axis in zip(*values, strict=True):
        starts[axis], ends[axis], steps[axis], whole[axis] = start, end, step, 0
    return opset8.strided_slice(data, starts, ends, steps, begin_mask=whole, end_mask=whole)


def _constant(port: Any) -> list[int] | None:
    """The numbers of a constant; None for what is computed."""
    found = port.get_node()
    return [int(one) for one in found.get_vector()] if found.get_type_name() == "Constant" else None
