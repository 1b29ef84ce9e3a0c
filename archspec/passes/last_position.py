"""Compute an output at one position of each row alone."""

from __future__ import annotations

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive, ShapeError
from archspec.ir.rewriter import Rewriter
from archspec.ir.types import DType, TensorType
from archspec.ops.shape.gather_position import GatherPosition
from archspec.passes.base import Pass
from archspec.record import record


@record
class LastPosition(Pass):
    """The first output at one position of each row, which a new input `last` [b] gives; heads run on it alone.

    Given:  `%y[b, n, v] = linear(%x[b, n, d]); return %y`
    Result: `%1[b, d] = gather_position(%x, %last); %y[b, v] = linear(%1); return %y`

    `positions` is the dim of the axis of positions, axis 1 of the output. The position is taken as early as ops run
    position by position in the outermost body.
    """

    name = "last-position"

    positions: Symbol

    def apply(self, graph: Graph) -> Graph:
        """Rebuild the graph with the position taken before the last ops."""
        value, moved = graph.outputs[0], list[Node]()
        while (found := self._operand(graph, value)) is not None:
            assert value.producer is not None
            moved.append(value.producer)
            value = found
        new = Rewriter(graph)
        last = Value("last", TensorType.of(DType.INT64, value.type.shape[0], bound=Dim.of(self.positions)))
        new.inputs.append(last)
        taken = self._take(new, last, value) if value.producer is None else None
        for node in graph.nodes:
            if node in moved:
                assert taken is not None
                taken = _moved(new, node, value, taken)
                value = node.outputs[0]
                continue
            new.add(node, new.operands(node.inputs))
            if value in node.outputs:
                taken = self._take(new, last, value)
        assert taken is not None
        new.new[graph.outputs[0]] = taken
        return new.finish()

    def _take(self, new: Rewriter, last: Value, value: Value) -> Value:
        op, x = GatherPosition(), new.new[value]
        made = Value(value.name, op.infer(x.type, last.type)[0])
        new.nodes.append(Node(op=op, inputs=(x, last), outputs=(made,)))
        return made

    def _operand(self, graph: Graph, value: Value) -> Value | None:
        """The operand of the op that makes a value, if the op can as well run on one position of it; else None."""
        node = value.producer
        if node is None or not isinstance(node.op, Primitive) or not node.op.anywhere or len(node.outputs) > 1:
            return None
        uses = [x for one in graph.nodes for x in one.inputs].count(value) + graph.outputs.count(value)
        size = Dim.of(self.positions)
        along = [x for x in node.inputs if any(self.positions in one.symbols() for one in x.type.shape)]
        if uses != 1 or len(along) != 1 or any(x.type.rank != 3 or x.type.shape[1] != size for x in (value, *along)):
            return None
        try:
            made = node.op.infer(*(_without(x.type) if x is along[0] else x.type for x in node.inputs))
        except ShapeError:
            return None
        return along[0] if made == (_without(value.type),) else None


def _without(type_: TensorType) -> TensorType:
    return TensorType(type_.dtype, (type_.axes[0], *type_.axes[2:]), type_.bound)


def _moved(new: Rewriter, node: Node, source: Value, taken: Value) -> Value:
    """Append an op that runs on the value `taken` in place of `source`; returns its result."""
    inputs = tuple(taken if x is source else new.new[x] for x in node.inputs)
    assert isinstance(node.op, Primitive)
    made = Value(node.outputs[0].name, node.op.infer(*(x.type for x in inputs))[0])
    new.nodes.append(
        Node(
            op=node.op,
            inputs=inputs,
            outputs=(made,),
            parameters=node.parameters,
            owned=node.owned,
            name=node.name,
            scope=node.scope,
            span=node.span,
        )
    )
    return made
