"""Scales as TensorRT takes them: above zero for integers of eight bits, where a file of GGUF has others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FILE = "positive.onnx"
_OPERATOR = "DequantizeLinear"


def with_positive_scales(onnx: Path, folder: Path) -> Path:
    """The file if TensorRT takes its scales, or one in `folder` that has the same values and such scales.

    The sign of a scale goes to its integers, and those of a scale of zero become zero. TensorRT takes all scales of
    integers of four bits. Raises SpecError E606 for -128 with a scale below zero: eight bits do not hold its opposite.
    """
    import onnx_ir
    from google.protobuf.message import DecodeError

    try:
        model = onnx_ir.load(onnx)
    except DecodeError:
        # TensorRT itself says what is wrong with the file.
        return onnx
    # A table that is looked up and multiplied is one constant for several operators.
    integers = {one.inputs[0].name: one.inputs[0] for one in model.graph if one.op_type == _OPERATOR and _is_moved(one)}
    if not integers:
        return onnx
    for value in integers.values():
        _move_signs(value)
    onnx_ir.save(model, folder / _FILE, external_data=f"{_FILE}.data")
    return folder / _FILE


def _is_moved(node: Any) -> bool:
    """Whether an operator reads constant integers of eight bits with a scale that is not above zero."""
    import onnx_ir

    integers, scales = (value.const_value for value in node.inputs[:2])
    stored = integers is not None and scales is not None and integers.dtype == onnx_ir.DataType.INT8
    return stored and bool((scales.numpy() <= 0).any())


def _move_signs(value: Any) -> None:
    """Move the signs of the scales of integers to these."""
    import numpy as np

    readers = [node for node, _ in value.uses()]
    before = value.const_value.numpy().astype(np.int16)
    moved = before * _signs(readers[0], before.shape)
    # Whatever else reads the integers would read others.
    if any(node.op_type != _OPERATOR or (before * _signs(node, before.shape) != moved).any() for node in readers):
        fail("E606", f"TensorRT-RTX takes scales above zero, and what reads `{value.name}` has others", None)
    if moved.max(initial=0) > np.iinfo(np.int8).max:
        fail("E606", f"TensorRT-RTX takes scales above zero, and `{value.name}` holds -128 with one below", None)
    _put(value, moved.astype(np.int8))
    for scales in {node.inputs[1].name: node.inputs[1] for node in readers}.values():
        found = scales.const_value.numpy()
        _put(scales, np.where(found == 0, found.dtype.type(1), np.abs(found)))


def _signs(node: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """The sign of the scale of each integer [shape] that an operator reads: -1, 0 or 1."""
    import numpy as np

    signs: NDArray[Any] = np.sign(node.inputs[1].const_value.numpy()).astype(np.int16)
    axis, block = node.attributes["axis"].as_int(), node.attributes.get("block_size")
    if block is not None:
        return signs.repeat(block.as_int(), axis=axis)
    return signs.reshape([-1 if number == axis % len(shape) else 1 for number in range(len(shape))])


def _put(value: Any, array: NDArray[Any]) -> None:
    """Give a constant other numbers."""
    import onnx_ir

    value.const_value = onnx_ir.tensor(array, name=value.name)
