"""The search for witnesses: sizes, values of the controls and two positions at which a graph violates a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.graph import Value
from archspec.record import record
from archspec.relation.atoms import Relation
from archspec.rules.reads import Reads
from archspec.rules.verdict import TooManyPositions
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.grid import CellGrid, Index, bits_of
from archspec.rules.wiring.path import Witness, reaching
from archspec.rules.wiring.table import Table
from archspec.rules.wiring.wire import Wiring, wirings
from archspec.rules.wiring.worlds import SMALL, reach, small_sizes, worlds
from archspec.spec import Spec

if TYPE_CHECKING:
    from archspec.rules.wiring.replay import Replay

_MOST_ROWS = 48
_MOST_REPLAYS = 24
LONGEST = 600
"""Longer windows are not tried; verdicts then hold for the small sizes that were tried."""


Bad = Callable[[Wiring, int], int]
"""The input positions that one output position must not read."""


@record
class Search:
    """The witness that was found, if any, and of how many output positions no replay confirmed what wiring shows."""

    witness: Witness | None = None
    unconfirmed: int = 0


def find(
    spec: Spec,
    reads: Reads,
    output: Value,
    source: Value,
    extra: Sequence[tuple[Value, Value, Relation]],
    bad: Bad,
    larger: Sequence[Mapping[str, int]] = (),
) -> Search:
    """A pair of positions that violates an upper rule, by wiring and confirmed by a replay, if one is found.

    Args:
        spec: the spec.
        reads: what its nodes read.
        output: the output of the rule.
        source: the input of the rule.
        extra: the rule's own relations, over which cells must be exact.
        bad: the input positions that an output position must not read.
        larger: sizes that are tried after the small ones, as far as they do not have too many positions.

    Wiring that no replay confirms is tried a limited number of times. No witness proves nothing: only small sizes and a
    few worlds are tried. Raises TooManyPositions.
    """
    cells, pair = Cells(spec.graph, reads, extra), (output, source)
    found = _searched(spec, reads, cells, pair, bad, _sizes(spec, extra), Search())
    try:
        return _searched(spec, reads, cells, pair, bad, larger, found)
    except TooManyPositions:
        return found


def _searched(
    spec: Spec,
    reads: Reads,
    cells: Cells,
    pair: tuple[Value, Value],
    bad: Bad,
    tried: Iterable[Mapping[str, int]],
    before: Search,
) -> Search:
    """The search at some sizes, after one at others: as `find`."""
    # Only rules that look violated are replayed, and the replay brings the interpreter with it.
    from archspec.rules.wiring.replay import Replay

    output, source = pair
    unconfirmed = before.unconfirmed
    if before.witness is not None or unconfirmed == _MOST_REPLAYS:
        return before
    chosen = (world for sizes in tried for world in worlds(spec, reads.terms, sizes))
    for wiring in wirings(spec.graph, reads, cells, chosen):
        replay, out = Replay(spec, wiring, output, source), wiring.grid(output)
        for bit in rows(out):
            wrong = bad(wiring, bit)
            # The exact composition of declared reads, at these sizes and controls.
            found = wrong and wiring.read(output, 1 << bit, source) & wrong
            if not found:
                continue
            witness = confirmed(replay, wiring, out.index(bit), found)
            # A replay runs the whole graph: after too many without confirmation the rule stays unknown.
            unconfirmed += witness is None
            if witness is not None or unconfirmed == _MOST_REPLAYS:
                return Search(witness=witness, unconfirmed=unconfirmed)
    return Search(unconfirmed=unconfirmed)


def confirmed(replay: Replay, wiring: Wiring, i: Index, found: int) -> Witness | None:
    """A witness for position i, at the first of some input positions whose change moves it; None where none does."""
    places = [wiring.grid(replay.source).index(bit) for bit in bits_of(found)]
    # Too large to run: the wiring alone stands for the witness.
    if not replay.possible:
        return Witness(wiring=wiring, i=i, j=places[0])
    # Most ways that are declared are real: then the first place alone moves the output, and nothing else is run.
    if not replay.long and replay.moves(i, places[:1]):
        return Witness(wiring=wiring, i=i, j=places[0], replay=replay)
    if not replay.long and replay.moves(i, places):
        alone = (place for place in places[:_MOST_REPLAYS] if replay.moves(i, [place]))
        return Witness(wiring=wiring, i=i, j=next(alone, places[0]), replay=replay)
    if not replay.deep:
        return None
    # Through many layers a change may fade out: then every step of the way is tried by itself.
    place = next(filter(reaching(replay, i), places[:_MOST_REPLAYS]), None)
    return None if place is None else Witness(wiring=wiring, i=i, j=place, replay=replay)


def _sizes(spec: Spec, extra: Sequence[tuple[Value, Value, Relation]]) -> Iterator[dict[str, int]]:
    """Small sizes, and if the rule names a window, sizes at which the compared axes are longer than it."""
    yield small_sizes(spec)
    if any(symbol.multiple > 1 for symbol in spec.dims.values()):
        # An axis that is split has then two parts or more on either side.
        yield small_sizes(spec, 2 * SMALL)
    beyond = max((reach(relation) for _, _, relation in extra), default=0) + 2
    axes = [axis for pair in extra for axis in _compared(*pair) if axis.symbols()]
    wanted = max(SMALL, beyond)
    # An axis may be a part of a dim, as in `length//4`: the dim grows until the axis is longer than the window.
    while wanted <= LONGEST and any(axis.value(small_sizes(spec, wanted)) < beyond for axis in axes):
        wanted *= 2
    # Doubling went beyond the limit: the dim alone is made longer than the window.
    if wanted > LONGEST:
        wanted = beyond
    if SMALL < wanted <= LONGEST:
        yield small_sizes(spec, wanted)


def _compared(output: Value, source: Value, relation: Relation) -> Iterator[Dim]:
    """The sizes of the axes whose positions a relation compares."""
    for difference in (one for atom in relation.atoms for one in atom.differences):
        yield output.type.space[difference.out]
        yield source.type.space[difference.inp]


def rows(grid: CellGrid) -> Sequence[int]:
    """The output positions that are examined, as bits: all of a few, else some from both ends and between.

    Positions that are skipped can only hide a witness, never add one.
    """
    if grid.total <= _MOST_ROWS:
        return range(grid.total)
    step = max(1, grid.total // (_MOST_ROWS // 2))
    return sorted(
        {*range(_MOST_ROWS // 4), *range(0, grid.total, step), *range(grid.total - _MOST_ROWS // 4, grid.total)}
    )


def outside(output: Value, source: Value, allowed: Relation) -> Bad:
    """A test for rules that allow pairs: the input positions that are not allowed for one output position."""
    row = inside(output, source, allowed)
    return lambda wiring, bit: wiring.grid(source).everything & ~row(wiring, bit)


def inside(output: Value, source: Value, forbidden: Relation) -> Bad:
    """A test for rules that forbid pairs: the input positions that are forbidden for one output position."""
    tables: dict[Wiring, Table] = {}

    def row(wiring: Wiring, bit: int) -> int:
        if wiring not in tables:
            # Wirings come one after the other: a table serves all positions of the current one.
            tables.clear()
            tables[wiring] = wiring.between(output, source, forbidden)
        return tables[wiring].row(bit)

    return row


__all__ = ["LONGEST", "Bad", "Search", "Witness", "confirmed", "find", "inside", "outside", "rows"]
