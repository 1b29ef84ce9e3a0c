"""Mistakes of caches: one node of a step computes with other operands, at every node where that makes a mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.masks.at_positions import AtPositions
from archspec.model.runner import Array
from archspec.ops.attention.attention import Attention
from archspec.ops.shape.concat import Concat
from archspec.ops.state.axis_positions import AxisPositions
from archspec.ops.state.row_positions import RowPositions
from archspec.ops.state.write_positions import WritePositions
from archspec.passes.incremental.incremental import Incremental
from archspec.record import record

Change = Callable[[list[Array], Mapping[Value, Array]], list[Array]]
"""Other operands in place of a node's, from these and from all values of its body so far."""


@record(eq=False)
class At:
    """The body around a node, and the step that it is of."""

    found: Incremental
    body: Graph

    def writes(self, before: Node) -> list[Node]:
        """The nodes of the body before one that write into what is kept."""
        nodes = self.body.nodes[: self.body.nodes.index(before)]
        return [node for node in nodes if isinstance(node.op, WritePositions)]


@record(eq=False)
class Mistake:
    """A node, the layers in which it is wrong (all if None), and what it computes with."""

    operator: str
    node: Node
    change: Change
    layer: int | None = None

    @property
    def place(self) -> str:
        """Where the node stands, for people."""
        alone = "" if self.layer is None else f", layer {self.layer} alone"
        return f"{self.node.path or self.node.outputs[0].name} ({self.node.op.name}{alone})"


def mistakes(found: Incremental) -> Iterator[Mistake]:
    """Every mistake at every node of the step and of what is made once; of several layers also in one alone."""
    for body, node, layer in [*_nodes(found.step, None), *_nodes(found.once, None)]:
        for name, make in OPERATORS.items():
            for change in make(node, At(found=found, body=body)):
                yield Mistake(operator=name, node=node, change=change, layer=layer)


def _nodes(graph: Graph | None, layer: int | None) -> Iterator[tuple[Graph, Node, int | None]]:
    if graph is None:
        return
    for node in graph.nodes:
        yield graph, node, None
        if layer is not None:
            yield graph, node, layer
        for body, region in enumerate(node.regions):
            yield from _nodes(region, _middle(node, body, layer))


def _middle(node: Node, body: int, around: int | None) -> int | None:
    """A layer among several of a kind: the middle one."""
    if not isinstance(node.op, Repeat):
        return around
    layers = node.op.schedule.layers(body)
    return layers[len(layers) // 2] if len(layers) > 1 else None


def operand(number: int, change: Callable[[Array], Array]) -> Change:
    """One operand that is another."""

    def changed(operands: list[Array], known: Mapping[Value, Array]) -> list[Array]:
        return [change(one) if place == number else one for place, one in enumerate(operands)]

    return changed


Changes = Iterator[Change]


def _writes(node: Node, ring: bool) -> bool:
    return isinstance(node.op, WritePositions) and node.op.ring == ring


def write_later(node: Node, at: At) -> Changes:
    """The index that is written is one too large."""
    if _writes(node, ring=False):
        yield operand(2, lambda past: past + 1)


def write_earlier(node: Node, at: At) -> Changes:
    """The index that is written is one too small: the last entry is lost."""
    if _writes(node, ring=False):
        yield operand(2, lambda past: np.maximum(past - 1, 0))


def write_at_start(node: Node, at: At) -> Changes:
    """Each chunk is written at the beginning."""
    if _writes(node, ring=False):
        yield operand(2, np.zeros_like)


def ring_index(node: Node, at: At) -> Changes:
    """The place in the ring is one too far."""
    if _writes(node, ring=True):
        yield operand(2, lambda past: past + 1)


def ring_takes_all(node: Node, at: At) -> Changes:
    """The ring takes what fills up a chunk, too."""
    if _writes(node, ring=True):

        def change(operands: list[Array], known: Mapping[Value, Array]) -> list[Array]:
            new = operands[1].shape[node.op.axis]  # type: ignore[attr-defined]
            return [*operands[:3], np.full_like(operands[3], new)]

        yield change


def read_before_writing(node: Node, at: At) -> Changes:
    """What is read does not hold the new entries: its length is taken before they are written."""
    for number, value in enumerate(node.inputs):
        write = value.producer
        if write is not None and _writes(write, ring=False):
            yield _taken(number, write.inputs[0])


def write_before_reading(node: Node, at: At) -> Changes:
    """A ring has lost entries when it is read."""
    if isinstance(node.op, Concat):
        for write in at.writes(node):
            if write.inputs[:2] == node.inputs:
                yield _taken(0, write.outputs[0])


def keys_for_values(node: Node, at: At) -> Changes:
    """Keys are written for values, or values for keys, whichever is made first."""
    for other in at.writes(node) if isinstance(node.op, WritePositions) else ():
        if other.inputs[1].type == node.inputs[1].type:
            yield _taken(1, other.inputs[1])


def _taken(number: int, value: Value) -> Change:
    """An operand that is another value of the body."""

    def changed(operands: list[Array], known: Mapping[Value, Array]) -> list[Array]:
        return [known[value] if place == number else one for place, one in enumerate(operands)]

    return changed


def not_advanced(node: Node, at: At) -> Changes:
    """New entries stand at the beginning again."""
    if isinstance(node.op, RowPositions) and not node.op.kept:
        yield operand(0, np.zeros_like)
    if isinstance(node.op, AxisPositions) and node.op.filled:
        yield operand(0, np.zeros_like)


def _masked(node: Node) -> tuple[int, int] | None:
    """The operands of an attention that are the positions of its queries and keys."""
    if not isinstance(node.op, Attention) or not isinstance(node.op.mask, AtPositions):
        return None
    first = node.op.first
    return first + node.op.mask.queries, first + node.op.mask.keys


def upper_left(node: Node, at: At) -> Changes:
    """Causality is counted from the first new position."""
    places = _masked(node)
    if places is not None:
        yield operand(places[0], lambda queries: queries - queries[:, :1])


def mask_behind(node: Node, at: At) -> Changes:
    """The mask is off by one: queries do not see themselves, and a window one key too far back."""
    places = _masked(node)
    if places is not None:
        yield operand(places[0], lambda queries: queries - 1)


def mask_ahead(node: Node, at: At) -> Changes:
    """The mask is off by one: queries see the next entry, and a window one key less."""
    places = _masked(node)
    if places is not None:
        yield operand(places[0], lambda queries: queries + 1)


def _of_ring(node: Node, change: Callable[[Array, Array, int], Array]) -> Changes:
    """Other positions of the keys of a ring, from those of queries and keys and the length of the ring."""
    places = _masked(node)
    source = None if places is None else node.inputs[1].producer
    if places is None or source is None or not isinstance(source.op, Concat):
        return
    kept = source.inputs[0].type.shape[source.op.axis].constant
    assert kept is not None

    def changed(operands: list[Array], known: Mapping[Value, Array]) -> list[Array]:
        made = list(operands)
        made[places[1]] = change(operands[places[0]], operands[places[1]], kept)
        return made

    yield changed


def stale_entries(node: Node, at: At) -> Changes:
    """Places of a ring that hold nothing of the row yet are seen."""
    yield from _of_ring(node, lambda queries, keys, kept: np.where(keys < 0, queries[:, :1], keys))


def ring_short(node: Node, at: At) -> Changes:
    """The oldest entry of a full ring is lost."""

    def change(queries: Array, keys: Array, kept: int) -> Array:
        oldest = (keys == queries[:, :1] - kept) & (np.arange(keys.shape[1]) < kept)
        return np.where(oldest, -1, keys)

    yield from _of_ring(node, change)


def other_row(node: Node, at: At) -> Changes:
    """What is kept is another row's."""
    if isinstance(node.op, WritePositions):
        yield operand(0, lambda kept: np.roll(kept, 1, axis=0))


def other_layer(node: Node, at: At) -> Changes:
    """A layer reads what another one keeps."""
    if isinstance(node.op, Repeat):
        for number, body in node.op.stacked.items():
            if node.op.schedule.count(body) > 1:
                yield operand(number, lambda kept: np.roll(kept, 1, axis=0))


def other_memory(node: Node, at: At) -> Changes:
    """Memory is another row's, or moved by one position."""
    if isinstance(node.op, Repeat):
        for scan in node.op.scans:
            if scan.output is None:
                yield operand(scan.operand, lambda kept: np.roll(kept, 1, axis=1))
                yield operand(scan.operand, lambda kept: np.roll(kept, 1, axis=-2))


def memory_of_padding(node: Node, at: At) -> Changes:
    """Memory is computed from padding: its ids are zeros, or what is valid and what is not are exchanged."""
    once = () if at.found.once is None else at.found.once.inputs
    held = [value for value in at.found.step.inputs if value.name in {one.name for one in once}]
    for number, value in enumerate(node.inputs):
        if value in once or value in held:
            yield operand(number, lambda given: ~given if given.dtype == bool else np.zeros_like(given))


OPERATORS: dict[str, Callable[[Node, At], Changes]] = {
    "write one place later": write_later,
    "write one place earlier": write_earlier,
    "write each chunk at the beginning": write_at_start,
    "write one place further in the ring": ring_index,
    "keep what fills up a chunk in the ring": ring_takes_all,
    "read before writing": read_before_writing,
    "write a ring before reading it": write_before_reading,
    "write keys for values": keys_for_values,
    "do not advance positions": not_advanced,
    "count causality from the chunk": upper_left,
    "mask one position behind": mask_behind,
    "mask one position ahead": mask_ahead,
    "see empty places of the ring": stale_entries,
    "make the ring one shorter": ring_short,
    "read another row": other_row,
    "read another layer": other_layer,
    "read other memory": other_memory,
    "compute memory from padding": memory_of_padding,
}
