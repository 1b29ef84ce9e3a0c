"""What an op makes of bands: its declared relation applied to what its operand reads of a source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from archspec.algebra.dim import Dim, compare
from archspec.analyses.band import ONE, SELF, Band, after, band, hull
from archspec.ir.graph import Node
from archspec.record import record
from archspec.relation.atoms import Atom, Flat, Range, Relation, Space

FIXED = -1
"""The key of a band that is the same for all positions of a value."""


@record
class Reading:
    """What positions of a value read along one coordinate of a source, by coordinates of the value.

    Each band holds by itself. Without any the value may read every position; `lost` is then the node from which on it
    does.
    """

    bands: Mapping[int, Band]
    lost: Node | None = None


def start(coordinate: int) -> Reading:
    """Each position of a source reads itself; of no coordinate, any position."""
    return Reading(bands={} if coordinate == FIXED else {coordinate: SELF})


def through(node: Node, relation: Relation, known: Reading, space: Space, why: str) -> Reading:
    """What a result of a node reads, by what it reads of an operand and what that reads of the source.

    Args:
        node: the node.
        relation: what its result reads of the operand.
        known: what the operand reads.
        space: the sizes of the coordinates of the operand.
        why: the reason why the relation may hold more than the op depends on; empty where it is exact.
    """
    if not known.bands:
        return known
    return joined((Reading(bands=_of_atom(atom, known.bands, space, why), lost=node) for atom in relation.atoms), node)


def joined(reaches: Iterable[Reading], node: Node) -> Reading:
    """What a value reads that is made of several others by a node."""
    first, *rest = reaches
    for other in rest:
        if first.bands and other.bands:
            first = Reading(bands=_both(first.bands, other.bands), lost=node)
        elif first.bands:
            first = other
    return first if not first.bands else replace(first, lost=None)


def _both(left: Mapping[int, Band], right: Mapping[int, Band]) -> dict[int, Band]:
    """The bands by coordinates that both have."""
    pairs = ((key, hull(band, right[key])) for key, band in left.items() if key in right)
    return {key: found for key, found in pairs if found is not None}


def composed(outer: Mapping[int, Reading], inner: Reading, node: Node) -> Reading:
    """What a value reads of a source, by what it reads of a value between along each of its coordinates."""
    found: dict[int, Band] = {}
    for middle, known in inner.bands.items():
        if middle == FIXED:
            found[FIXED] = known
            continue
        for key, over in outer[middle].bands.items():
            _add(found, key, after(over, known))
    lost = next((one.lost for one in outer.values() if one.lost is not None), node)
    return Reading(bands=found, lost=None if found else inner.lost or lost)


def _add(found: dict[int, Band], key: int, new: Band | None) -> None:
    """Add a band, unless a narrower one is known for its coordinate."""
    if new is not None and (key not in found or _narrower(new, found[key])):
        found[key] = new


def _narrower(new: Band, old: Band) -> bool:
    return compare(new.extent, "<", old.extent) is True


def _of_atom(atom: Atom, known: Mapping[int, Band], space: Space, why: str) -> dict[int, Band]:
    """The bands of the pairs of one atom."""
    found = {FIXED: known[FIXED]} if FIXED in known else {}
    # Two branches of a choice, too, are never read at one position.
    part = any(one.side == "out" for one in atom.ranges) or any(one.side == "out" for one in atom.guards)
    for one in atom.differences:
        if one.inp in known and one.lo is not None and one.hi is not None:
            _add(found, one.out, after(band(one.a, one.b, one.lo, one.hi, why, part=part), known[one.inp]))
    for flat in atom.flats:
        if (key := _one_position(flat, space)) is not None:
            for place in (place for place, _ in flat.inp if place in known):
                _add(found, key, after(replace(ONE, why=why, part=part), known[place]))
    for stretch in atom.ranges:
        if stretch.side == "in" and stretch.coordinate in known and (own := _stretch(stretch, space, why)) is not None:
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
    return band(0, 1, -place.hi, -place.lo, why)
