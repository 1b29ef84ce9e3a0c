"""Weights that are stored as integers in ONNX: `DequantizeLinear` of constants, which runtimes join with what reads it.

Opset 21 is the first in which a scale may belong to a block. ONNX Runtime computes `MatMul` of such a weight without
making the weight; TensorRT builds it from the integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.lower.stored import DEQUANTISE

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET = 21
_OPERATOR = "DequantizeLinear"
_LEAST, _MOST = -8, 7


def name_weights(module: nn.Module) -> bool:
    """Let the values of weights be exported as one operator; returns whether the module has any that are integers."""
    functions = type(module).forward.__globals__
    if DEQUANTISE not in functions:
        return False
    functions[DEQUANTISE] = _dequantised
    return True


def _dequantised(integers: Tensor, scale: Tensor) -> Tensor:
    """Stand in for the function of an emitted file."""
    from torch.onnx.ops import symbolic

    # Operators have a scale for each entry of one axis, or else for each block.
    options: dict[str, Any] = {"axis": 0}
    if scale.numel() != scale.shape[0]:
        options = {"axis": integers.ndim - 1, "block_size": integers.shape[-1] // scale.shape[-1]}
    found: Tensor = symbolic(_OPERATOR, (integers, scale), options, dtype=scale.dtype, shape=integers.shape, version=21)
    return found


def store_weights(graph: Any) -> None:
    """Write the weights as products read them, integers of four bits as such, and scales of channels without more axes.

    A transposition of a weight is done here, so that its integers go into the product itself.
    """
    # A list, because nodes are replaced in the graph that is walked.
    for node in [one for one in graph if one.op_type == _OPERATOR]:
        _transposed(graph, node)
        if "block_size" in node.attributes:
            _narrow(graph, node)
        else:
            _channels(graph, node)


def _transposed(graph: Any, node: Any) -> None:
    """Take the place of the transposition that alone reads a weight, and look up columns where rows were looked up."""
    import onnx_ir

    uses = list(node.outputs[0].uses())
    turned, integers = uses[0][0] if len(uses) == 1 else None, node.inputs[0]
    lookups = [one for one, _ in integers.uses() if one is not node]
    # The weight is stored once: what else reads it has to take it transposed.
    if turned is None or turned.op_type != "Transpose" or not all(map(_is_lookup, lookups)):
        return
    for one in lookups:
        _look_up_columns(graph, one)
    order = list(turned.attributes["perm"].as_ints())
    for number, value in enumerate(node.inputs):
        _store(graph, node, number, value.const_value.numpy().transpose(order), shared=number == 0)
    node.attributes["axis"] = onnx_ir.AttrInt64("axis", order.index(node.attributes["axis"].as_int()))
    node.outputs[0].shape = turned.outputs[0].shape
    onnx_ir.convenience.replace_all_uses_with(turned.outputs[0], node.outputs[0])
    graph.remove(turned, safe=True)


def _is_lookup(node: Any) -> bool:
    """Whether an operator looks up rows of a matrix."""
    axis = node.attributes.get("axis")
    ids = node.inputs[1].shape if node.op_type == "Gather" else None
    return ids is not None and (axis is None or axis.as_int() == 0)


def _look_up_columns(graph: Any, node: Any) -> None:
    """Look up columns of a matrix, and bring their entries to the end."""
    import onnx_ir

    rows, rank = node.outputs[0], len(node.inputs[1].shape)
    node.attributes["axis"] = onnx_ir.AttrInt64("axis", 1)
    turned = onnx_ir.node("Transpose", [rows], {"perm": [*range(1, rank + 1), 0]})
    made = turned.outputs[0]
    made.name, made.type, made.shape = f"{rows.name}.rows", rows.type, rows.shape
    rows.shape = None
    onnx_ir.convenience.replace_all_uses_with(rows, made)
    turned.replace_input_with(0, rows)
    graph.insert_after(node, turned)


def _narrow(graph: Any, node: Any) -> None:
    """Store integers that fit as integers of four bits."""
    import ml_dtypes

    value = node.inputs[0]
    array = value.const_value.numpy()
    if len(list(value.uses())) == 1 and array.min() >= _LEAST and array.max() <= _MOST:
        _store(graph, node, 0, array.astype(ml_dtypes.int4))


def _channels(graph: Any, node: Any) -> None:
    """Give the scales of channels their one axis."""
    _store(graph, node, 1, node.inputs[1].const_value.numpy().reshape(-1))


def _store(graph: Any, node: Any, number: int, array: Any, *, shared: bool = False) -> None:
    """Give an operator another constant; what else reads the old one reads it too where it is `shared`."""
    import onnx_ir

    value = node.inputs[number]
    if shared or len(list(value.uses())) == 1:
        tensor = onnx_ir.tensor(array.copy(), name=value.name)
        value.const_value, value.shape, value.dtype = tensor, tensor.shape, tensor.dtype
        return
    tensor = onnx_ir.tensor(array.copy(), name=f"{value.name}.{node.name}")
    made = onnx_ir.val(tensor.name, const_value=tensor)
    graph.register_initializer(made)
    node.replace_input_with(number, made)
