"""A relation in one world: for each output position the set of related input positions, as bits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from archspec.algebra.dim import Dim
from archspec.relation.atoms import Atom, Flat, Guard, PrefixBound, Relation, SegmentEquality, identity
from archspec.relation.forms import Place, index_at
from archspec.rules.reads import key_of
from archspec.rules.wiring.grid import CellGrid, Index, bits_of
from archspec.rules.wiring.world import World

_FEW = 32


class Table:
    """Rows of a relation between two grids in a world, computed on demand.

    Args:
        relation: the relation; its keys are terms.
        out: the grid of the output.
        inp: the grid of the input.
        world: sizes, and the values of the terms.
    """

    def __init__(self, relation: Relation, out: CellGrid, inp: CellGrid, world: World) -> None:
        self.out, self.inp = out, inp
        # An identity, the most common relation, needs no rows.
        self._same = out == inp and relation == identity(len(out.counts))
        self._atoms = [] if self._same else [_Rows(atom, out, inp, world) for atom in relation.atoms]
        self._rows: dict[int, int] = {}
        self._images: dict[int, int] = {}
        self.reads_something = bool(relation.atoms)

    def row(self, bit: int) -> int:
        """The input positions that one output position reads."""
        if self._same:
            return 1 << bit
        if bit not in self._rows:
            index, found = self.out.index(bit), 0
            for atom in self._atoms:
                found |= atom.row(index)
            self._rows[bit] = found
        return self._rows[bit]

    def image(self, positions: int) -> int:
        """The input positions that some output positions read."""
        if self._same or not positions:
            return positions
        if positions not in self._images:
            self._images[positions] = self._image(positions)
        return self._images[positions]

    def _image(self, positions: int) -> int:
        # Of a few positions the rows are sooner looked up than put together.
        found, box = 0, self.out.corners(positions) if positions.bit_count() > _FEW else None
        left = []
        for atom in self._atoms:
            read = None if box is None else atom.box(*box)
            if read is None:
                left.append(atom)
            else:
                found |= read
        # No atom could be imaged as a box: the cached rows of single positions are used.
        if left == self._atoms:
            for bit in bits_of(positions):
                found |= self.row(bit)
            return found
        for bit in bits_of(positions) if left else ():
            index = self.out.index(bit)
            for atom in left:
                found |= atom.row(index)
        return found


class _Rows:
    """The rows of one atom."""

    def __init__(self, atom: Atom, out: CellGrid, inp: CellGrid, world: World) -> None:
        self.atom, self.out, self.inp, self.world = atom, out, inp, world
        sizes = world.sizes
        self.ranges = [(r.coordinate, _value(r.lo, sizes), _value(r.hi, sizes)) for r in atom.ranges if r.side == "out"]
        self.whole = [(0, size - 1) for size in inp.sizes]
        for r in atom.ranges:
            if r.side == "in":
                here = self.whole[r.coordinate]
                self.whole[r.coordinate] = _meet(here, _value(r.lo, sizes), _value(r.hi, sizes))
        self.differences = [
            (d.out, d.inp, d.a, d.b, _value(d.lo, sizes), _value(d.hi, sizes)) for d in atom.differences
        ]
        self.out_guards = [guard for guard in atom.guards if guard.side == "out"]
        self.static = self._static()
        linked = [d.out for d in atom.differences], [d.inp for d in atom.differences]
        # Without data, and with each coordinate in one difference at most, coordinates are independent of each other.
        data = atom.guards or atom.prefixes or atom.segments or atom.flats
        self._separable = not data and all(len(set(side)) == len(side) for side in linked)
        self._segments: dict[SegmentEquality, dict[int, int]] = {}
        self._flat: dict[object, dict[int, int]] = {}

    def row(self, index: Index) -> int:
        """The input positions that the atom relates to one output position."""
        if not all(
            (low is None or index[k] >= low) and (high is None or index[k] <= high) for k, low, high in self.ranges
        ):
            return 0
        if not all(self._holds(guard, index) for guard in self.out_guards):
            return 0
        ranges = list(self.whole)
        for out, inp, a, b, lo, hi in self.differences:
            ranges[inp] = _meet(ranges[inp], *_through(index[out], a, b, lo, hi))
        found = self.inp.box(ranges) & self.static
        for equality in self.atom.segments:
            if not found:
                break
            value = self.world.value(key_of(equality)).at(self._at(index, equality.out))
            # An index outside the operand equals nothing.
            found &= 0 if value is None else self._in_segment(equality, value)
        for one in self.atom.flats:
            found &= self._near(one, self._place(index, one.out)) if found else 0
        return found

    def _near(self, one: Flat, i: int) -> int:
        """The input positions whose flat position is close enough to that of the output."""
        if one.inp not in self._flat:
            by_place: dict[int, int] = {}
            for bit in range(self.inp.total):
                place = self._place(self.inp.index(bit), one.inp)
                by_place[place] = by_place.get(place, 0) | 1 << bit
            self._flat[one.inp] = by_place
        known = self._flat[one.inp]
        lo, hi = _value(one.lo, self.world.sizes), _value(one.hi, self.world.sizes)
        # An equality has one place.
        if lo is not None and lo == hi:
            return known.get(i - lo, 0)
        found = 0
        for place, bits in known.items():
            if (lo is None or lo <= i - place) and (hi is None or i - place <= hi):
                found |= bits
        return found

    def _place(self, index: Index, place: Place) -> int:
        return index_at(place, index.__getitem__, self.world.sizes)

    def _at(self, index: Index, places: Sequence[Place]) -> Index:
        return tuple(self._place(index, place) for place in places)

    def box(self, low: Index, high: Index) -> int | None:
        """The image of a box of output positions; None where the atom's coordinates are not independent."""
        if not self._separable:
            return None
        kept = list(zip(low, high, strict=True))
        for k, first, last in self.ranges:
            kept[k] = _meet(kept[k], first, last)
        if any(a > b for a, b in kept):
            return 0
        linked = {inp: (out, a, b, lo, hi) for out, inp, a, b, lo, hi in self.differences}
        # Coordinates are independent here: the image of a box is the product of those of its sides.
        return self.inp.product(
            [
                self._cells(k, kept[linked[k][0]], *linked[k]) if k in linked else self._within(k, *self.whole[k])
                for k in range(len(self.whole))
            ]
        )

    def _cells(
        self, k: int, kept: tuple[int, int], out: int, a: int, b: int, lo: int | None, hi: int | None
    ) -> Iterable[int]:
        """The cells of input coordinate k that some kept position of an output coordinate reads."""
        found: set[int] = set()
        # The first position of a cell stands for all of it: cells are cut where positions differ in what they read.
        for i in self.out.starts[out]:
            if kept[0] <= i <= kept[1]:
                found.update(self._within(k, *_meet(self.whole[k], *_through(i, a, b, lo, hi))))
        return found

    def _within(self, k: int, low: int, high: int) -> range:
        """The numbers of the cells that start within a range."""
        starts = self.inp.starts[k]
        return range(bisect_left(starts, low), bisect_left(starts, high + 1))

    def _static(self) -> int:
        """The input positions that satisfy the constraints on the input alone."""
        guards = [guard for guard in self.atom.guards if guard.side == "in"]
        if not guards and not self.atom.prefixes:
            return self.inp.everything
        found = 0
        for bit in range(self.inp.total):
            index = self.inp.index(bit)
            if all(self._holds(g, index) for g in guards) and all(self._before(p, index) for p in self.atom.prefixes):
                found |= 1 << bit
        return found

    def _holds(self, guard: Guard, index: Index) -> bool:
        """Whether a guard holds at an index; an index outside the operand satisfies neither sign."""
        *leading, last = self._at(index, guard.coordinates)
        offset = Dim.of(guard.offset).value(self.world.sizes)
        held = self.world.value(key_of(guard)).at((*leading, last + offset))
        return held is not None and bool(held) is not guard.negated

    def _before(self, bound: PrefixBound, index: Index) -> bool:
        """Whether an input position is inside a prefix."""
        length = self.world.value(key_of(bound)).at(self._at(index, bound.leading))
        offset = Dim.of(bound.offset).value(self.world.sizes)
        return length is not None and self._place(index, bound.inp) < length + offset

    def _in_segment(self, equality: SegmentEquality, value: int) -> int:
        """The input positions whose segment has this value."""
        if equality not in self._segments:
            # All values at once: a mask may have as many as there are windows.
            tensor, found = self.world.value(key_of(equality)), dict[int, int]()
            for bit in range(self.inp.total):
                own = tensor.at(self._at(self.inp.index(bit), equality.inp))
                if own is not None:
                    found[own] = found.get(own, 0) | 1 << bit
            self._segments[equality] = found
        return self._segments[equality].get(value, 0)


def _value(end: Dim | None, sizes: Mapping[str, int]) -> int | None:
    return None if end is None else end.value(sizes)


def _through(i: int, a: int, b: int, lo: int | None, hi: int | None) -> tuple[int | None, int | None]:
    """The range of j for which `lo <= a*i - b*j <= hi`, rounded inwards."""
    # `-(x // b)` is `-x / b` rounded up.
    return None if hi is None else -((hi - a * i) // b), None if lo is None else (a * i - lo) // b


def _meet(known: tuple[int, int], low: int | None, high: int | None) -> tuple[int, int]:
    """The intersection of a range with bounds, of which None is infinite."""
    return known[0] if low is None else max(known[0], low), known[1] if high is None else min(known[1], high)
