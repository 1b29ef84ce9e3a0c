"""Which axes of an input hold features, as its first readers treat them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.motion import Lost, Motion, Move, Moves, Still, source
from archspec.ir.moving import WHOLE
from archspec.ir.op import Primitive

Followed = dict[Value, dict[int, Motion]]
"""For values that are computed from the input, how they move with each of its axes."""


def feature_axes(graph: Graph, value: Value, axes: Sequence[int]) -> frozenset[int] | None:
    """The axes of an input that hold features, of some axes that hold features or number positions.

    The first op that brings entries of the input together tells: it reads features as a whole, each with a weight of
    its own, and positions by windows or not at all. None where no op tells them apart.
    """
    starts = {axis: source(Move(length=value.type.shape[axis], unit=1, circular=False), axis) for axis in axes}
    search = _FirstReaders({value: dict(starts)})
    search.run(graph.nodes, search.followed)
    if search.whole:
        return None if search.whole == starts.keys() else frozenset(search.whole)
    return frozenset() if search.windowed == starts.keys() else None


class _FirstReaders:
    """Follows an input to the first op that reads some axis as a whole."""

    def __init__(self, followed: Followed) -> None:
        self.followed = followed
        self.whole: set[int] = set()
        self.windowed: set[int] = set()

    def run(self, nodes: Iterable[Node], followed: Followed) -> None:
        """Follow the input through nodes, until it is known which axes hold features."""
        for node in nodes:
            if self.whole:
                return
            if any(value in followed for value in node.inputs):
                self._node(node, followed)

    def _node(self, node: Node, followed: Followed) -> None:
        if isinstance(node.op, Primitive):
            self._primitive(node, node.op, followed)
        # The first layer tells; what others carry is not followed.
        for region in node.regions[:1]:
            pairs = zip(region.inputs, node.inputs, strict=True)
            inside: Followed = {inner: followed[outer] for inner, outer in pairs if outer in followed}
            self.run(region.nodes, inside)
            if isinstance(node.op, Call):
                results = zip(node.outputs, region.outputs, strict=True)
                followed |= {outer: inside[inner] for outer, inner in results if inner in inside}

    def _primitive(self, node: Node, op: Primitive, followed: Followed) -> None:
        """Follow each axis through an op."""
        types = [value.type for value in node.inputs], [value.type for value in node.outputs]
        for axis in {axis: None for value in node.inputs for axis in followed.get(value, {})}:
            operands = [_of(followed.get(value, {}), axis) for value in node.inputs]
            for value, found in zip(node.outputs, op.moved(operands, *types), strict=True):
                if isinstance(found, Lost) and found.why.reason == WHOLE:
                    self.whole.add(axis)
                elif isinstance(found, Moves) and found.low != found.high:
                    self.windowed.add(axis)
                elif isinstance(found, Moves):
                    followed.setdefault(value, {})[axis] = found


def _of(motions: Mapping[int, Motion], axis: int) -> Motion:
    """How a value moves with an axis; one that is not computed from the input does not."""
    return motions.get(axis, Still())
