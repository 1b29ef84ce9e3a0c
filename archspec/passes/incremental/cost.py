"""Where to keep: at the value that is read, or before ops that cost nothing, whichever takes fewer bytes."""

from __future__ import annotations

from archspec.analyses.cost import BYTES
from archspec.ir.graph import Node, Value
from archspec.ir.op import Primitive
from archspec.passes.incremental.needs import Needs
from archspec.passes.incremental.reach import same


class Costs:
    """The bytes of what would be kept."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._least: dict[Value, int] = {}

    def keeps(self, value: Value) -> bool:
        """Whether no operands of ops that cost nothing, from which a value is computed, take fewer bytes than it."""
        return self.least(value) >= _bytes(value)

    def least(self, value: Value) -> int:
        """The fewest bytes that give past entries of a value again."""
        if value not in self._least:
            node = value.producer
            found = _bytes(value)
            if node is not None and isinstance(node.op, Primitive) and self._is_free(node, node.op, value):
                operands = (x for x in node.inputs if self._needs.influences.of(x).fed)
                found = min(found, sum(self.least(x) for x in operands))
            self._least[value] = found
        return self._least[value]

    def _is_free(self, node: Node, op: Primitive, value: Value) -> bool:
        """Whether past entries may be computed again: without parameters and FLOPs, each from its own position."""
        flops = op.flops([x.type for x in node.inputs], [y.type for y in node.outputs])
        axes = self._needs.axes(value)
        if not op.anywhere or node.parameters or flops != 0 or len(axes) != 1:
            return False
        ((_, out),) = axes
        late = [n for n, x in enumerate(node.inputs) if self._needs.influences.of(x).is_late]
        return all(
            same(self._needs.relation(value, number), out, inp)
            for number in late
            for _, inp in self._needs.axes(node.inputs[number])
        )


def _bytes(value: Value) -> int:
    """Bytes of a value at the typical sizes."""
    return BYTES[value.type.dtype] * value.type.elements().typical()
