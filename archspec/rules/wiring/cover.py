"""Lower rules: whether every position that must be seen is read, at small sizes with open masks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from archspec.ir.graph import Graph, Value
from archspec.masks.walk import leaves
from archspec.ops.attention.attention import Attention
from archspec.relation.atoms import Relation, equal
from archspec.rules.reads import Reads
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.grid import CellGrid, Index, bits_of
from archspec.rules.wiring.search import LONGEST, Witness, rows
from archspec.rules.wiring.wire import Wiring, wirings
from archspec.rules.wiring.worlds import SMALL, open_worlds, reach, small_sizes
from archspec.spec import Spec
from archspec.spec.rules import Axes


def uncovered(
    spec: Spec, reads: Reads, output: Value, source: Value, wanted: Relation, axes: Axes
) -> Witness | dict[str, int]:
    """A demanded pair that nothing connects, or else the largest sizes tried, at which all are connected.

    Args:
        spec: the spec.
        reads: what its nodes read.
        output: the output of the rule.
        source: the input of the rule.
        wanted: the pairs that must be related.
        axes: the axes of the output and of the input that number positions; other coordinates of one position count
            together.

    A bool input that no mask reads, such as the choice of patches that are replaced, may be true or false for it.
    Raises TooManyPositions.
    """
    wanted = in_one_row(output, source, wanted)
    cells = Cells(spec.graph, reads, [(output, source, wanted)])
    for sizes in _sizes(spec, wanted):
        missed = _missed(spec, reads, cells, output, source, wanted, axes, sizes)
        if missed is not None:
            return missed
    return sizes


def _sizes(spec: Spec, wanted: Relation) -> Iterator[dict[str, int]]:
    """Small sizes, and a size at which every window of the rule or of a mask excludes something."""
    yield small_sizes(spec, batch=1)
    # At n + 2 positions the first and the last are n + 1 apart, which a window of n excludes.
    beyond = max(reach(wanted), *_windows(spec.graph)) + 2
    if SMALL < beyond <= LONGEST:
        yield small_sizes(spec, beyond, batch=1)


def _windows(graph: Graph) -> Iterator[int]:
    """The largest sizes of the windows of masks, and 0."""
    yield 0
    for node in graph.walk():
        for leaf in leaves(node.op.mask) if isinstance(node.op, Attention) else ():
            size = leaf.window()
            if size is not None:
                yield size.maximum()


def _missed(
    spec: Spec,
    reads: Reads,
    cells: Cells,
    output: Value,
    source: Value,
    wanted: Relation,
    axes: Axes,
    sizes: Mapping[str, int],
) -> Witness | None:
    """A demanded pair that is not connected for either truth of the bool inputs that no mask reads."""
    found: Witness | None = None
    for truth in (1, 0):
        worlds = open_worlds(spec, reads, sizes, wanted, truth)
        tried = wirings(spec.graph, reads, cells, worlds)
        missed = next(
            (w for wiring in tried if (w := first_unread(wiring, output, source, wanted, axes)) is not None), None
        )
        # It is enough that all pairs are read for one truth value of those inputs.
        if missed is None:
            return None
        found = found or missed
    return found


def first_unread(wiring: Wiring, output: Value, source: Value, wanted: Relation, axes: Axes) -> Witness | None:
    """The first demanded pair that nothing connects in one world, or None.

    Args:
        wiring: what positions read in that world.
        output: the output of the rule.
        source: the input of the rule.
        wanted: the pairs that must be related.
        axes: the axes of both that number positions.
    """
    own, read = _coordinates(output, axes[0]), _coordinates(source, axes[1])
    out, inp = wiring.grid(output), wiring.grid(source)
    table = wiring.between(output, source, wanted)
    for place, bits in _places(out, own, rows(out)):
        asked = table.image(bits)
        missing = asked and _missing(asked, wiring.read(output, bits, source), inp, read)
        if missing:
            return Witness(wiring=wiring, i=place, j=inp.index(next(bits_of(missing))))
    return None


def in_one_row(output: Value, source: Value, wanted: Relation) -> Relation:
    """The pairs within one position of the axis that leads both values."""
    # Rows of a batch are independent, so a rule can only demand what is in the same row.
    if not output.type.rank or not source.type.rank or output.type.axes[0] != source.type.axes[0]:
        return wanted
    pairs = zip(output.type.coordinates[0], source.type.coordinates[0], strict=True)
    rows = frozenset(equal(*pair) for pair in pairs)
    return Relation(tuple(replace(atom, differences=atom.differences | rows) for atom in wanted.atoms))


def _coordinates(value: Value, axes: Sequence[int]) -> list[int]:
    """The coordinates of the leading axis of a value and of the axes that number its positions."""
    places = value.type.coordinates
    return [k for axis in dict.fromkeys((*range(min(1, value.type.rank)), *axes)) for k in places[axis]]


def _places(grid: CellGrid, own: Sequence[int], bits: Iterable[int]) -> Iterator[tuple[Index, int]]:
    """The positions of a value by some coordinates, each with the bits of everything at it."""
    found: dict[Index, tuple[Index, int]] = {}
    for bit in bits:
        index = grid.index(bit)
        key = tuple(index[k] for k in own)
        first, known = found.get(key, (index, 0))
        found[key] = (first, known | 1 << bit)
    yield from found.values()


def _missing(wanted: int, read: int, grid: CellGrid, own: Sequence[int]) -> int:
    """What is demanded and not read, except at positions something of which is read."""
    missing = wanted & ~read
    if not missing or len(own) == len(grid.counts):
        return missing
    # One feature of a position is enough for the position to be seen.
    return missing & ~grid.spread(read, [k for k in range(len(grid.counts)) if k not in own])
