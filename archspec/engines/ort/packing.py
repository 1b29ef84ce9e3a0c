"""Queries, keys and values of one attention as one product, which `GroupQueryAttention` takes as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir

from archspec.engines.ort.attention import GROUPED
from archspec.record import record


def pack_heads(graph: Any) -> None:
    """Let one product give queries, keys and values where the attention alone reads what three products give."""
    # A list, because joining changes the graph that is walked.
    for node in [one for one in graph if one.op_type == GROUPED]:
        maps = [_map_of(value) for value in node.inputs[:3]]
        found = [one for one in maps if one is not None]
        if len(found) == len(maps) and all(one.form == found[0].form for one in found):
            _pack(graph, node, found)


@record
class _Constant:
    """A constant operand of an operator; `out` is its axis of the features that come out of a map."""

    node: Any
    number: int
    out: int

    @property
    def value(self) -> Any:
        """The operand."""
        return self.node.inputs[self.number]

    @property
    def array(self) -> Any:
        """What it holds."""
        return self.value.const_value.numpy()

    @property
    def form(self) -> tuple[object, ...]:
        """Its type, without the size of `out`."""
        shape = [size for axis, size in enumerate(self.value.const_value.shape) if axis != self.out]
        return self.value.const_value.dtype, *shape


@record(eq=False)
class _Map:
    """A product of `x` with a constant weight.

    `nodes` are what makes it, from the last one backwards: the addition of a bias, the product, what transposes the
    weight, and what makes it of integers. `constants` are the weight, and the scales and the bias that there are.
    """

    nodes: tuple[Any, ...]
    x: Any
    constants: tuple[_Constant, ...]

    @property
    def form(self) -> tuple[object, ...]:
        """What maps have in common whose constants can stand behind one another."""
        kinds = tuple((one.op_type, str(sorted(one.attributes.items()))) for one in self.nodes)
        return self.x, kinds, tuple(one.form for one in self.constants)


def _map_of(value: Any) -> _Map | None:
    """The map that gives a value, if nothing else reads what it is made of."""
    nodes, constants = list[Any](), list[_Constant]()
    node = _maker(value)
    if node is not None and node.op_type == "Add":
        nodes.append(node)
        constants.append(_Constant(node=node, number=1, out=0))
        node = _maker(node.inputs[0])
    if node is None or node.op_type != "MatMul":
        return None
    nodes.append(node)
    weight = _Constant(node=node, number=1, out=1)
    for kind in ("Transpose", "DequantizeLinear"):
        made = _maker(weight.value)
        if made is not None and made.op_type == kind:
            nodes.append(made)
            weight = _Constant(node=made, number=0, out=0 if kind == "Transpose" else weight.out)
            constants += [] if kind == "Transpose" else [_Constant(node=made, number=1, out=weight.out)]
    # One that is read elsewhere too would be stored twice.
    is_own = _is_read_once(weight.value)
    constants.insert(0, weight)
    if not is_own or any(one.value is None or one.value.const_value is None for one in constants):
        return None
    # What is added at each position is no bias, and zero points would have to be joined too.
    is_bias = nodes[0].op_type != "Add" or len(nodes[0].inputs[1].const_value.shape) == 1
    if not is_bias or len(weight.value.const_value.shape) != 2 or len(nodes[-1].inputs) > 2:
        return None
    return _Map(nodes=tuple(nodes), x=node.inputs[0], constants=tuple(constants))


def _maker(value: Any) -> Any:
    """What makes a value that one operator reads; None if several do, or if nothing makes it."""
    return value.producer() if value is not None and _is_read_once(value) else None


def _is_read_once(value: Any) -> bool:
    return len(list(value.uses())) == 1


def _pack(graph: Any, node: Any, maps: Sequence[_Map]) -> None:
    """Put one map in place of three."""
    first, *others = maps
    before = {one.value for each in maps for one in each.constants}
    features = sum(each.constants[0].array.shape[each.constants[0].out] for each in maps)
    for number, one in enumerate(first.constants):
        array = np.concatenate([each.constants[number].array for each in maps], axis=one.out)
        # Equal constants are stored once, so that something else may read this one too: it gets no other value.
        tensor = onnx_ir.tensor(array, name=f"{one.node.outputs[0].name}.packed.{one.number}")
        made = onnx_ir.val(tensor.name, const_value=tensor)
        graph.register_initializer(made)
        one.node.replace_input_with(one.number, made)
    for one in first.nodes:
        _resize(one, features)
    for place in (1, 2):
        node.replace_input_with(place, None)
    for other in others:
        graph.remove(other.nodes, safe=True)
    for value in before:
        if not list(value.uses()):
            del graph.initializers[value.name]


def _resize(node: Any, features: int) -> None:
    """Give the result of an operator of a map its number of features."""
    (value,) = node.outputs
    if value.shape is not None:
        sizes = list(value.shape)
        sizes[0 if node.op_type == "DequantizeLinear" else -1] = features
        value.shape = onnx_ir.Shape(sizes)
