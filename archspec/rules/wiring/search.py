"""Witnesses: sizes, values of the controls and two positions at which a graph breaks a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from archspec.algebra.dim import Dim
from archspec.ir.graph import Value
from archspec.record import record
from archspec.relation.atoms import Relation
from archspec.rules.reads import Reads
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.grid import CellGrid, Index, bits_of
from archspec.rules.wiring.table import Table
from archspec.rules.wiring.wire import Wiring
from archspec.rules.wiring.world import World
from archspec.rules.wiring.worlds import SMALL, reach, small_sizes, worlds
from archspec.spec import Spec

_MOST_ROWS = 48
LONGEST = 600
"""Longer windows are not tried: what is said of them holds at small sizes."""


@record
class Witness:
    """Position `i` of the output reads position `j` of the input, which it must not (or does not, which it must)."""

    wiring: Wiring
    i: Index
    j: Index

    @property
    def world(self) -> World:
        """The sizes and the values of the controls."""
        return self.wiring.world


Bad = Callable[[Wiring, int], int]
"""The input positions that one output position must not read."""


def find(
    spec: Spec, reads: Reads, output: Value, source: Value, extra: Sequence[tuple[Value, Value, Relation]], bad: Bad
) -> Witness | None:
    """A pair of positions that breaks an upper rule; None where none was found. `extra` are the rule's relations."""
    cells = Cells(spec.graph, reads, extra)
    for sizes in _sizes(spec, extra):
        for world in worlds(spec, reads.terms, sizes):
            wiring = Wiring(spec.graph, reads, cells, world)
            out, inp = wiring.grid(output), wiring.grid(source)
            for bit in rows(out):
                wrong = bad(wiring, bit)
                found = wrong and wiring.read(output, 1 << bit, source) & wrong
                if found:
                    return Witness(wiring=wiring, i=out.index(bit), j=inp.index(next(bits_of(found))))
    return None


def _sizes(spec: Spec, extra: Sequence[tuple[Value, Value, Relation]]) -> Iterator[dict[str, int]]:
    """Small sizes, and where the rule names a window some at which what it speaks of is longer."""
    yield small_sizes(spec)
    beyond = max((reach(relation) for _, _, relation in extra), default=0) + 2
    axes = [axis for pair in extra for axis in _compared(*pair) if axis.symbols()]
    wanted = max(SMALL, beyond)
    while wanted <= LONGEST and any(axis.value(small_sizes(spec, wanted)) < beyond for axis in axes):
        wanted *= 2
    if wanted > LONGEST:
        wanted = beyond
    if SMALL < wanted <= LONGEST:
        yield small_sizes(spec, wanted)


def _compared(output: Value, source: Value, relation: Relation) -> Iterator[Dim]:
    """The axes whose positions a relation compares."""
    for difference in (one for atom in relation.atoms for one in atom.differences):
        yield output.type.space[difference.out]
        yield source.type.space[difference.inp]


def rows(grid: CellGrid) -> Sequence[int]:
    """Positions of an output that are looked at: all, or some from both ends and between."""
    if grid.total <= _MOST_ROWS:
        return range(grid.total)
    step = max(1, grid.total // (_MOST_ROWS // 2))
    return sorted(
        {*range(_MOST_ROWS // 4), *range(0, grid.total, step), *range(grid.total - _MOST_ROWS // 4, grid.total)}
    )


def outside(output: Value, source: Value, allowed: Relation) -> Bad:
    """All that a relation does not allow."""
    row = inside(output, source, allowed)
    return lambda wiring, bit: wiring.grid(source).everything & ~row(wiring, bit)


def inside(output: Value, source: Value, forbidden: Relation) -> Bad:
    """All that a relation holds."""
    tables: dict[Wiring, Table] = {}

    def row(wiring: Wiring, bit: int) -> int:
        if wiring not in tables:
            tables.clear()
            tables[wiring] = wiring.between(output, source, forbidden)
        return tables[wiring].row(bit)

    return row
