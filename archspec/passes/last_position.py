"""Compute an output at only one position of each row."""

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
        """Take the position before the last ops, which then run on it alone."""
        value, first = graph.outputs[0], None
        while (found := self._operand(graph, value)) is not None:
            value, first = found, value.producer
        new = Rewriter(graph)
        last = new.add_input("last", TensorType.of(DType.INT64, value.type.shape[0], bound=Dim.of(self.positions)))
        op = GatherPosition()
        made = Value(value.name, op.infer(value.type, last.type)[0])
        taken = Node(op=op, inputs=(value, last), outputs=(made,))
        if value.producer is None:
            new.insert_first(taken)
        else:
            new.insert(taken, after=value.producer)
        if first is None:
            new.outputs[0] = made
        else:
            new.change(first, inputs=[made if x is value else x for x in first.inputs])
        return new.finish()

    def _operand(self, graph: Graph, value: Value) -> Value | None:
        """The operand of the op that makes a value, if the op can as well run on one position of it; else None."""
        node = value.producer
        if node is None or not isinstance(node.op, Primitive) or not node.op.anywhere or len(node.outputs) > 1:
            return None
        uses = len(list(graph.uses(value)))
        size = Dim.of(self.positions)
        along = [x for x in node.inputs if any(self.positions in one.symbols() for one in x.type.shape)]
        # Something else that uses the value needs all of its positions.
        if uses != 1 or len(along) != 1 or any(x.type.rank != 3 or x.type.shape[1] != size for x in (value, *along)):
            return None
        try:
            made = node.op.infer(*(_without(x.type) if x is along[0] else x.type for x in node.inputs))
        except ShapeError:
            return None
        return along[0] if made == (_without(value.type),) else None


def _without(type_: TensorType) -> TensorType:
    return TensorType(type_.dtype, (type_.axes[0], *type_.axes[2:]), type_.bound)
