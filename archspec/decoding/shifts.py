"""Whether a graph's results depend on the number of positions, or on where the first valid one is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.shift import Shifts
from archspec.analyses.size_use import sizes_meant
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.motion import Motion, Move, Moves, Still, lost
from archspec.ir.op import Primitive
from archspec.masks.atoms.within import Within
from archspec.ops.attention.attention import Attention
from archspec.ops.position.counted_positions import CountedPositions
from archspec.passes.scopes import Scopes


def counts_positions(graph: Graph, size: Symbol) -> bool:
    """Whether a value or offset in a graph, other than a shape, is computed from the number of positions.

    If none is, and the graph is causal, the result at a position does not depend on how many positions follow.
    """
    return any(size in sizes_meant(node.op) for node in graph.walk())


def moves_along(graph: Graph, valid: Value) -> bool:
    """Whether shifting sequences to the right shifts the results with them, given that `valid` marks their positions.

    False if this is not known: for positions counted from anything but `valid`, for masks with absolute positions, and
    for ops that read neighbours, because what they find in front of the first position depends on the shift.
    """
    size = valid.type.shape[-1]
    others = [(value, axis) for value in graph.inputs for axis, own in enumerate(value.type.shape) if own == size]
    # Of an input with two such axes it is not known how it is shifted.
    if len({value for value, _ in others}) != len(others):
        return False
    shifted = _Shifted(graph, valid, others)
    return all(_is_along(shifted.motion(value)) for value in graph.outputs)


class _Shifted(Shifts):
    """The motions of values when all inputs with positions are shifted along them.

    Attention may read every position: those in front of the first valid one are hidden by `valid`, or the proofs fail.
    """

    def __init__(self, graph: Graph, valid: Value, others: Iterable[tuple[Value, int]]) -> None:
        self._scopes = Scopes(graph)
        move = Move(length=valid.type.shape[-1], unit=1, circular=False)
        super().__init__(graph, valid, valid.type.rank - 1, move, others)

    def primitive(self, node: Node, op: Primitive, operands: Sequence[Motion]) -> Sequence[Motion]:
        """As the op says, where each position is computed by itself."""
        if isinstance(op, CountedPositions) and self._scopes.origin(node.inputs[0]) is self.origin:
            return operands[:1]
        if isinstance(op, Attention) and isinstance(operands[1], Moves):
            # A window of any size: whether a query is moved with its keys does not depend on how far it sees.
            found = super().primitive(node, replace(op, mask=op.mask & Within(Dim.of(1))), operands)
            return [_at(one, operands[0]) for one in found]
        found = super().primitive(node, op, operands)
        return [one if not isinstance(one, Moves) or _is_own(one) else lost("reads neighbours") for one in found]


def _at(found: Motion, query: Motion) -> Motion:
    """The motion of what is attended, as read at the query's own position."""
    if isinstance(found, Moves) and isinstance(query, Moves):
        return replace(found, low=query.low, high=query.high)
    return found


def _is_along(found: Motion) -> bool:
    """Whether a value does not change, or is shifted as the inputs are."""
    return isinstance(found, Still) or (isinstance(found, Moves) and found.broken is None and _is_own(found))


def _is_own(found: Moves) -> bool:
    """Whether an entry depends on its own position alone, but for what attention reads."""
    return found.low == found.high == 0
