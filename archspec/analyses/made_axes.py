"""Which axes of a value the last products with weights make: those of classes, where the value has scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.placement import Placement, Shard
from archspec.ir.repeat import Repeat


def made_axes(graph: Graph, value: Value) -> frozenset[int]:
    """The axes of a value of the outermost body that the last products with weights on the ways to it make.

    A linear map makes its last axis, a convolution its channels. What follows them is traced back by the placements
    that ops declare, as long as the axis keeps its size: of one that is split or merged it is not known which of its
    entries are next to each other. There are several axes where ways differ, and none where no op tells.
    """
    search = _Search(graph)
    return frozenset(axis for axis in range(value.type.rank) if search.is_made(value, axis))


class _Search:
    """Traces axes back to the products that make them."""

    def __init__(self, graph: Graph) -> None:
        self._outside = {
            inner: node.inputs[number]
            for node in graph.walk()
            for region in node.regions
            for number, inner in enumerate(region.inputs)
            # Of a stack, a layer has a part, whose axes are others.
            if number not in node.op.stacked
        }

    def is_made(self, value: Value, axis: int) -> bool:
        """Whether on some way to a value, the last product with weights makes an axis of it."""
        left, seen = [(value, axis)], set[tuple[Value, int]]()
        while left:
            place = left.pop()
            if place in seen:
                continue
            seen.add(place)
            before = self._before(*place)
            if before is None:
                return True
            left += before
        return False

    def _before(self, value: Value, axis: int) -> list[tuple[Value, int]] | None:
        """The values of which an axis is this one; None where a product with weights makes it."""
        node = value.producer
        if node is None:
            return [(self._outside[value], axis)] if value in self._outside else []
        if isinstance(node.op, Primitive):
            return _traced(node, node.op, value, axis)
        return [(inner, axis) for inner in _results(node, value.index)]


def _results(node: Node, index: int) -> Iterator[Value]:
    """The values inside regions that an output of their node is, by its number."""
    if isinstance(node.op, Repeat) and index:
        # The carried value comes first; what is stacked behind the taps has an axis more.
        for tap in node.op.taps[index - 1 : index]:
            yield node.regions[node.op.schedule[tap.layer]].outputs[tap.output]
    else:
        yield from (region.outputs[index] for region in node.regions)


def _traced(node: Node, op: Primitive, value: Value, axis: int) -> list[tuple[Value, int]] | None:
    """The operands of which an axis is this one; None where the op is a product with weights that makes it."""
    types = [one.type for one in node.inputs], [one.type for one in node.outputs]
    multiplies = bool(op.parameters(*types[0])) and op.flops(*types) != 0
    found = []
    for way in op.shardings(*types):
        if not _parts(way.results, value.index, axis):
            continue
        pairs = [(one, at.axis) for one, at in zip(node.inputs, way.operands, strict=True) if isinstance(at, Shard)]
        if multiplies and not pairs and _holds_parts(way.parameters):
            return None
        # Other axes than the channels of groups are behind the last product: what is before it does not count.
        if not multiplies or _holds_parts(way.parameters):
            found += [(one, own) for one, own in pairs if one.type.shape[own] == value.type.shape[axis]]
    return found


def _parts(results: tuple[Placement, ...], index: int, axis: int) -> bool:
    """Whether a result is parted along an axis."""
    return isinstance(results[index], Shard) and results[index] == Shard(axis)


def _holds_parts(parameters: Mapping[str, Placement]) -> bool:
    """Whether a rank has parts of the parameters."""
    return any(isinstance(one, Shard) for one in parameters.values())
