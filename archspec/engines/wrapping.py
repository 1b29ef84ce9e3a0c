"""Circular padding in ONNX, as every runtime takes it.

The exporter writes `Pad` with the mode `wrap`, which is of opset 19, and which OpenVINO refuses. What it adds are
slices of the other end of the axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LARGEST = 2**63 - 1


def unwrap(graph: Any) -> None:
    """Write each padding that wraps around as concatenations with slices, an axis at a time."""
    import onnx_ir

    # A list, because rewriting changes the graph that is walked.
    for node in list(graph):
        mode = node.attributes.get("mode") if node.op_type == "Pad" else None
        if mode is None or mode.as_string() != "wrap":
            continue
        made, value, old = _Nodes(graph, node), node.inputs[0], node.outputs[0]
        for axis, before, after in _pads(node):
            first = [made.slice(value, axis, -before, _LARGEST)] if before else []
            last = [made.slice(value, axis, 0, after)] if after else []
            value = made.node("Concat", [*first, value, *last], {"axis": axis})
        value.type, value.shape = old.type, old.shape
        # It may be an output of the network, which is known by its name.
        value.name, old.name = old.name, value.name
        onnx_ir.convenience.replace_all_uses_with(old, value, replace_graph_outputs=True)
        graph.remove(node, safe=True)


def _pads(node: Any) -> Iterator[tuple[int, int, int]]:
    """Each axis that is padded, with how many entries are added before it and after it."""
    pads = node.inputs[1].const_value.numpy().tolist()
    assert min(pads) >= 0, f"padding that wraps around adds entries; it takes none away: {pads}"
    given = node.inputs[3] if len(node.inputs) > 3 else None
    count = len(pads) // 2
    axes = range(count) if given is None else given.const_value.numpy().tolist()
    # Without any, the last axis is joined from itself alone.
    padded = [one for one in zip(axes, pads[:count], pads[count:], strict=True) if any(one[1:])]
    yield from padded or [(-1, 0, 0)]


class _Nodes:
    """Nodes that are put before one that they replace, named after its output."""

    def __init__(self, graph: Any, replaced: Any) -> None:
        self._graph, self._replaced, self._count = graph, replaced, 0
        self._prefix = f"{replaced.outputs[0].name}.wrap"

    def slice(self, value: Any, axis: int, start: int, end: int) -> Any:
        """A part of an axis of a value."""
        return self.node("Slice", [value, *(self._number(one) for one in (start, end, axis))], {})

    def node(self, kind: str, inputs: list[Any], attributes: dict[str, Any]) -> Any:
        """The output of a new node."""
        import onnx_ir

        made = onnx_ir.node(kind, inputs, attributes)
        made.name = made.outputs[0].name = self._name()
        # A message about it then names the part of the model that it came from.
        made.metadata_props.update(self._replaced.metadata_props)
        self._graph.insert_before(self._replaced, made)
        return made.outputs[0]

    def _number(self, number: int) -> Any:
        """A constant [1]."""
        import numpy as np
        import onnx_ir

        name = self._name()
        value = onnx_ir.Value(name=name, const_value=onnx_ir.Tensor(np.array([number], np.int64), name=name))
        value.type, value.shape = onnx_ir.TensorType(onnx_ir.DataType.INT64), onnx_ir.Shape([1])
        self._graph.register_initializer(value)
        return value

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}_{self._count}"
