"""What an op makes of bands: its declared relation applied to what its operand reads of a source."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from archspec.algebra.dim import Dim, compare
from archspec.analyses.band import ONE, SELF, Band, after, band, hull
from archspec.ir.graph import Node
from archspec.ir.op import Primitive
from archspec.record import record
from archspec.relation.atoms import ZERO, Atom, Difference, Flat, Guard, Range, Relation, Space, equal

AROUND = "positions wrap around, so that one position may read those at both ends"
"""Why a value that may read all positions need not."""
FIXED = -1
"""The key of a band that is the same for all positions of a value."""


_Part = frozenset[Range | Guard]


class ReadOperand(NamedTuple):
    """The sizes of an operand's coordinates, why a relation to it may be loose, and the coordinates that wrap.

    Along the coordinates `ends` it begins and ends where what is read does, loose or not.
    """

    space: Space
    loose: str
    ends: frozenset[int]
    around: frozenset[tuple[int, int]]

    def why(self, coordinate: int) -> str:
        """Why a band along a coordinate may be too wide; empty where it is not."""
        return "" if coordinate in self.ends else self.loose


@record
class Reading:
    """What positions of a value read along one coordinate of a source, by coordinates of the value.

    Each band holds by itself. Without any the value may read every position; `lost` is then the node from which on it
    does, and `why` tells why it need not; it is empty where it does.
    """

    bands: Mapping[int, Band]
    lost: Node | None = None
    why: str = ""


Readings = tuple[Reading, ...]
"""What positions of a value read along several coordinates of a source, one after the other."""


def start(coordinate: int) -> Reading:
    """Each position of a source reads itself; of no coordinate, any position."""
    return Reading(bands={} if coordinate == FIXED else {coordinate: SELF})


def through(
    node: Node, relation: Relation, known: Readings, space: Space, why: str, ends: frozenset[int] = frozenset()
) -> Readings:
    """What a result of a node reads, by what it reads of an operand and what that reads of the source.

    Args:
        node: the node.
        relation: what its result reads of the operand.
        known: what the operand reads.
        space: the sizes of the coordinates of the operand.
        why: the reason why the relation may hold more than the op depends on; empty where it is exact.
        ends: the coordinates of the operand along which its ends are exact all the same.
    """
    atoms, around = relation.atoms, frozenset[tuple[int, int]]()
    if isinstance(node.op, Primitive) and node.op.wraps:
        atoms, around = merged(relation, space)
    operand, parts = ReadOperand(space, why, ends, around), dict[_Part, list[Atom]]()
    for atom in atoms:
        parts.setdefault(_part(atom), []).append(atom)
    return tuple(_by_parts(parts, one.bands, node, operand) if one.bands else one for one in known)


def _part(atom: Atom) -> _Part:
    """What tells the positions, or the entries of them, that an atom speaks of; empty for all of them."""
    # Two branches of a choice, too, are never read at one position.
    ranges = frozenset(one for one in atom.ranges if one.side == "out")
    return ranges | frozenset(one for one in atom.guards if one.side == "out")


def _by_parts(
    parts: Mapping[_Part, Sequence[Atom]], known: Mapping[int, Band], node: Node, operand: ReadOperand
) -> Reading:
    """What a result of a node reads, by the atoms that speak of each part of it."""
    found = []
    for part, atoms in parts.items():
        # What several atoms read at the same positions is read together, as by the taps of a kernel.
        one = joined([_over(atom, known, node, operand) for atom in atoms], node)
        bands = {key: replace(band, part=True) for key, band in one.bands.items()} if part else one.bands
        found.append(replace(one, bands=bands) if part else one)
    return joined(found, node)


def _over(atom: Atom, known: Mapping[int, Band], node: Node, operand: ReadOperand) -> Reading:
    """What a result of a node reads by the pairs of one atom."""
    bands = _of_atom(atom, known, operand)
    if bands:
        return Reading(bands=bands)
    # An op that reads all positions does so of those that were wrapped around as well.
    around = any(band.wraps for band in known.values()) and bool(_of_atom(atom, dict.fromkeys(known, SELF), operand))
    return Reading(bands={}, lost=node, why=AROUND if around else "")


def merged(relation: Relation, space: Space) -> tuple[tuple[Atom, ...], frozenset[tuple[int, int]]]:
    """The atoms of an op that wraps, with one for both ends, and the coordinates (output, operand) that it wraps."""
    shifts: dict[tuple[int, int], set[Difference]] = {}
    for one in (one for atom in relation.atoms for one in atom.differences):
        shifts.setdefault((one.out, one.inp), set()).add(one)
    around = frozenset(pair for pair, found in shifts.items() if len(found) > 1 and _one_circle(found, space[pair[1]]))
    atoms = (
        replace(
            a, differences=frozenset(equal(*pair) if (pair := (d.out, d.inp)) in around else d for d in a.differences)
        )
        for a in relation.atoms
    )
    return tuple(dict.fromkeys(atoms)), around


def _one_circle(shifts: Collection[Difference], size: Dim) -> bool:
    """Whether shifts lead to one and the same position around a circle of so many."""
    first, *rest = (one.lo if one.a == one.b == 1 and one.lo == one.hi else None for one in shifts)
    whole = (ZERO, size, -size, 2 * size, -2 * size)
    return first is not None and all(one is not None and one - first in whole for one in rest)


def joined(reaches: Iterable[Reading], node: Node) -> Reading:
    """What a value reads that is made of several others by a node."""
    first, *rest = reaches
    for other in rest:
        if first.bands and other.bands:
            first = _united(first.bands, other.bands, node)
        elif first.bands or (first.why and not other.bands):
            # Of several that may read all positions, one that does counts.
            first = other
    return first


def _united(left: Mapping[int, Band], right: Mapping[int, Band], node: Node) -> Reading:
    """What two values read together, by the bands of coordinates that both have."""
    pairs = ((key, hull(band, right[key])) for key, band in left.items() if key in right)
    bands = {key: found for key, found in pairs if found is not None}
    if bands:
        return Reading(bands=bands)
    around = any(band.wraps for band in (*left.values(), *right.values()))
    return Reading(bands={}, lost=node, why=AROUND if around else "")


def composed(between: Mapping[int, Reading], inner: Reading, node: Node) -> Reading:
    """What a value reads of a source, by what it reads of a value between along each coordinate that is known of it."""
    outer = [between[key] for key in inner.bands or (FIXED,)]
    found: dict[int, Band] = {}
    for (middle, known), own in zip(inner.bands.items(), outer, strict=False):
        if middle == FIXED:
            found[FIXED] = known
            continue
        for key, over in own.bands.items():
            _add(found, key, after(over, known))
    if found:
        return Reading(bands=found)
    lost = next((one.lost for one in outer if one.lost is not None), node)
    # A layer over positions that wrapped around; one that reads all positions by itself says so.
    around = any(one.wraps for one in inner.bands.values()) and any(one.bands for one in outer)
    why = inner.why or next((one.why for one in outer if one.why), AROUND if around else "")
    return Reading(bands={}, lost=inner.lost or lost, why=why)


def _add(found: dict[int, Band], key: int, new: Band | None) -> None:
    """Add a band, unless a narrower one is known for its coordinate."""
    if new is not None and (key not in found or _narrower(new, found[key])):
        found[key] = new


def _narrower(new: Band, old: Band) -> bool:
    return compare(new.extent, "<", old.extent) is True


def _of_atom(atom: Atom, known: Mapping[int, Band], operand: ReadOperand) -> dict[int, Band]:
    """The bands of the pairs of one atom."""
    found = {FIXED: known[FIXED]} if FIXED in known else {}
    space, around = operand.space, operand.around
    for one in atom.differences:
        why = operand.why(one.inp)
        if (one.out, one.inp) in around and one.inp in known:
            _add(found, one.out, after(replace(ONE, why=why, wraps=True), known[one.inp]))
        elif one.inp in known and not why and one == equal(one.out, one.inp):
            # What is read at its own position stays as it is: by far the most common case.
            _add(found, one.out, known[one.inp])
        elif one.inp in known and one.lo is not None and one.hi is not None:
            _add(found, one.out, after(band(one.a, one.b, one.lo, one.hi, why), known[one.inp]))
    for flat in atom.flats:
        if (key := _one_position(flat, space)) is not None:
            for place in (place for place, _ in flat.inp if place in known):
                _add(found, key, after(replace(ONE, why=operand.why(place)), known[place]))
    for stretch in atom.ranges:
        if stretch.side != "in" or stretch.coordinate not in known:
            continue
        if (own := _stretch(stretch, space, operand.why(stretch.coordinate))) is not None:
            _add(found, FIXED, after(own, known[stretch.coordinate]))
    return found


def _one_position(flat: Flat, space: Space) -> int | None:
    """The coordinate of the output that tells all coordinates of one flat position of the operand; None for none."""
    if len(flat.out) != 1 or flat.lo is None or flat.lo != flat.hi:
        return None
    expected = Dim.of(1)
    for place, stride in sorted(flat.inp, reverse=True):
        # Row-major: the stride of a coordinate is the number of positions that the later ones have together.
        if stride != expected:
            return None
        expected = expected * space[place]
    return flat.out[0][0]


def _stretch(place: Range, space: Space, why: str) -> Band | None:
    """A range of the operand as a band, where it is no more than half of the axis."""
    if place.lo is None or place.hi is None:
        return None
    count = place.hi - place.lo + 1
    # What reads nearly all positions reads as far as a pool over all of them.
    if count != 1 and compare(2 * count, "<=", space[place.coordinate]) is not True:
        return None
    # With a factor of 0 every position reads the same stretch.
    return band(0, 1, -place.hi, -place.lo, why)
