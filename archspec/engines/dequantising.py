"""Weights that are stored as integers in ONNX: `DequantizeLinear` of constants, which runtimes join with what reads it.

Opset 21 is the first in which a scale may belong to a block. ONNX Runtime computes `MatMul` of such a weight without
making the weight; TensorRT builds it from the integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx_ir

from archspec.lower.stored import DEQUANTISE

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET = 21
_OPERATOR = "DequantizeLinear"
_LEAST, _MOST = -8, 7
_REPEATS = ("Unsqueeze", "Expand", "Reshape", "Tile")


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


def look_up_values(graph: Any) -> None:
    """Let rows be looked up of values and not of integers, which TensorRT reads for values alone."""
    for integers in [one for one in graph if one.op_type == "Gather" and _is_integers(one.inputs[0])]:
        product = _only_reader(integers)
        # Integers are converted before they are multiplied.
        product = _only_reader(product) if product.op_type == "Cast" else product
        scales = next(found for value in product.inputs if (found := _scales_of(value.producer(), integers)))
        values = onnx_ir.node(_OPERATOR, [integers.inputs[0], scales.inputs[0]], _scaled(integers, scales))
        rows = onnx_ir.node("Gather", [values.outputs[0], integers.inputs[1]], {"axis": 0})
        for made, name in ((values, "table"), (rows, "rows")):
            made.outputs[0].name = f"{product.outputs[0].name}.{name}"
        rows.outputs[0].type, rows.outputs[0].shape = product.outputs[0].type, product.outputs[0].shape
        graph.insert_before(integers, [values, rows])
        onnx_ir.convenience.replace_all_uses_with(product.outputs[0], rows.outputs[0])
        _remove_unread(graph, product)


def _scales_of(node: Any, integers: Any) -> Any:
    """The operator that looks up rows of scales, on the way to one that repeats them for blocks; None elsewhere."""
    while node is not None and node.op_type in _REPEATS:
        node = node.inputs[0].producer()
    return node if node is not integers and _is_lookup_of_constant(node) else None


def _scaled(integers: Any, scales: Any) -> dict[str, int]:
    """Which integers of a table share a scale, as attributes: those of a row, or those of a block in it."""
    width, blocks = (one.inputs[0].const_value.shape[-1] for one in (integers, scales))
    return {"axis": 0} if blocks == 1 else {"axis": 1, "block_size": width // blocks}


def _remove_unread(graph: Any, node: Any) -> None:
    """Remove an operator that nothing reads, and then those that only it read."""
    before = [value.producer() for value in node.inputs if value is not None]
    graph.remove(node, safe=True)
    for one in before:
        if one is not None and one.graph is graph and not any(list(value.uses()) for value in one.outputs):
            _remove_unread(graph, one)


def _is_integers(value: Any) -> bool:
    """Whether a value is a constant of eight bits."""
    return value.const_value is not None and value.const_value.dtype == onnx_ir.DataType.INT8


def _is_lookup_of_constant(node: Any) -> bool:
    """Whether an operator looks up rows of scales."""
    return node is not None and node.op_type == "Gather" and node.inputs[0].const_value is not None


def _only_reader(node: Any) -> Any:
    """The one operator that reads what another makes. Raises ValueError for several."""
    ((reader, _),) = node.outputs[0].uses()
    return reader


def store_weights(graph: Any) -> None:
    """Write the weights as products read them, integers of four bits as such, and scales of channels without more axes.

    A transposition of a weight is done here, so that its integers go into the product itself.
    """
    # A list, because nodes are replaced in the graph that is walked.
    for node in [one for one in graph if one.op_type == _OPERATOR and one.inputs[0].const_value is not None]:
        _narrow_floats(node)
        _transposed(graph, node)
        if "block_size" in node.attributes:
            _narrow(graph, node)
        else:
            _channels(graph, node)


def _transposed(graph: Any, node: Any) -> None:
    """Take the place of the transposition that alone reads a weight; what looks up its rows transposes it."""
    uses = list(node.outputs[0].uses())
    turned, integers = uses[0][0] if len(uses) == 1 else None, node.inputs[0]
    others = [one for one, _ in integers.uses() if one is not node]
    # The weight is stored once: what else reads it has to take it transposed.
    if turned is None or turned.op_type != "Transpose" or not all(map(_is_lookup, others)):
        return
    order = list(turned.attributes["perm"].as_ints())
    for one in others:
        _look_up_turned(graph, one, integers, order)
    for number, value in enumerate(node.inputs):
        _store(graph, node, number, value.const_value.numpy().transpose(order), shared=number == 0)
    node.attributes["axis"] = onnx_ir.AttrInt64("axis", order.index(node.attributes["axis"].as_int()))
    node.outputs[0].shape = turned.outputs[0].shape
    onnx_ir.convenience.replace_all_uses_with(turned.outputs[0], node.outputs[0])
    graph.remove(turned, safe=True)


def _is_lookup(node: Any) -> bool:
    """Whether an operator looks up rows of a matrix."""
    axis = node.attributes.get("axis")
    return node.op_type == "Gather" and (axis is None or axis.as_int() == 0)


def _look_up_turned(graph: Any, node: Any, values: Any, order: list[int]) -> None:
    """Look up rows of a matrix that is stored transposed."""
    # Runtimes transpose constants once, when they open the file: ONNX Runtime joins a weight with a product only where
    # nothing else reads the constant, and OpenVINO 2026.4 gives other columns than those that are looked up.
    turned = onnx_ir.node("Transpose", [values], {"perm": order})
    turned.outputs[0].name = f"{node.outputs[0].name}.table"
    node.replace_input_with(0, turned.outputs[0])
    graph.insert_before(node, turned)


def _narrow(graph: Any, node: Any) -> None:
    """Store integers that fit as integers of four bits."""
    import ml_dtypes

    value = node.inputs[0]
    array = value.const_value.numpy()
    if len(list(value.uses())) == 1 and array.min() >= _LEAST and array.max() <= _MOST:
        _store(graph, node, 0, array.astype(ml_dtypes.int4))


def _narrow_floats(node: Any) -> None:
    """Store floats of eight bits as such: a module in float32 holds them widened."""
    import ml_dtypes

    value = node.inputs[0]
    if value.const_value.dtype == onnx_ir.DataType.FLOAT:
        array = value.const_value.numpy().astype(ml_dtypes.float8_e4m3fn)
        tensor = onnx_ir.tensor(array, name=value.name)
        value.const_value, value.dtype = tensor, tensor.dtype


def _channels(graph: Any, node: Any) -> None:
    """Give the scales of channels their one axis."""
    _store(graph, node, 1, node.inputs[1].const_value.numpy().reshape(-1))


def _store(graph: Any, node: Any, number: int, array: Any, *, shared: bool = False) -> None:
    """Give an operator another constant; what else reads the old one reads it too where it is `shared`."""
    value = node.inputs[number]
    if shared or len(list(value.uses())) == 1:
        tensor = onnx_ir.tensor(array.copy(), name=value.name)
        value.const_value, value.shape, value.dtype = tensor, tensor.shape, tensor.dtype
        return
    tensor = onnx_ir.tensor(array.copy(), name=f"{value.name}.of.{node.outputs[0].name}")
    made = onnx_ir.val(tensor.name, const_value=tensor)
    graph.register_initializer(made)
    node.replace_input_with(number, made)
