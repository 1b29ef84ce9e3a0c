"""Masks as relations: which key positions a query position may read."""

from __future__ import annotations

from functools import reduce

from archspec.masks.mask import And, Causal, KeyValid, Last, Mask, Or, Prefix, SameSegment, Within
from archspec.record import record
from archspec.relation.atoms import (
    EVERYTHING,
    NOTHING,
    ZERO,
    Atom,
    Difference,
    Guard,
    PrefixBound,
    Range,
    Relation,
    equal,
)
from archspec.relation.atoms import (
    SegmentEquality as SegmentsEqual,
)
from archspec.relation.meet import meet


@record
class Coordinates:
    """Where a mask's indices stand among the coordinates of an output and an input.

    `query` and `key` are the coordinates of the positions, several where the axis has factors; `query` is empty where
    the two axes are factored differently. `out_leading` and `in_leading` index the controls' leading axes, which those
    in `plain` do not have. `first` is the operand number of control 0. Constraints by a control in `loose` are left
    out, for it has no exact place among the coordinates.
    """

    query: tuple[int, ...]
    key: tuple[int, ...]
    out_leading: tuple[int, ...] = ()
    in_leading: tuple[int, ...] = ()
    first: int = 0
    plain: frozenset[int] = frozenset()
    loose: frozenset[int] = frozenset()

    def leading(self, control: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Coordinates of a control's leading axes, on the side of the output and of the input."""
        return ((), ()) if control in self.plain else (self.out_leading, self.in_leading)


def relation(mask: Mask, at: Coordinates) -> Relation:
    """The pairs (query, key) that a mask allows, as a union of atoms.

    Exact over single position coordinates; over several, windows and prefixes are widened. A mask made elsewhere
    allows everything here: what it holds is not known.
    """
    match mask:
        case And(terms=terms):
            return reduce(meet, (relation(term, at) for term in terms), EVERYTHING)
        case Or(terms=terms):
            return reduce(Relation.__or__, (relation(term, at) for term in terms), NOTHING)
        case Causal() | Last() | Within():
            return _window(mask, at)
        case KeyValid(control=control) | SameSegment(control=control) | Prefix(control=int(control)):
            return EVERYTHING if control in at.loose else _control(mask, control, at)
        case Prefix(length=length) if length is not None and len(at.key) == 1:
            return _one(Atom(ranges=frozenset({Range(side="in", coordinate=at.key[0], hi=length - 1)})))
        case _:
            return EVERYTHING


def _one(atom: Atom) -> Relation:
    return Relation((atom,))


def _window(mask: Causal | Last | Within, at: Coordinates) -> Relation:
    if not at.query or len(at.query) != len(at.key):
        return EVERYTHING
    if len(at.query) > 1:
        return EVERYTHING if isinstance(mask, Within) else _no_later(at)
    lo, hi = ZERO, None
    if isinstance(mask, Last):
        hi = mask.count - 1
    elif isinstance(mask, Within):
        lo, hi = -mask.distance, mask.distance
    difference = Difference(out=at.query[0], inp=at.key[0], lo=lo, hi=hi)
    return _one(Atom(differences=frozenset({difference})))


def _no_later(at: Coordinates) -> Relation:
    """Causality in row-major order: the first factor that differs is smaller, or none differs but the last."""
    pairs = list(zip(at.query, at.key, strict=True))
    atoms = []
    for place, (out, inp) in enumerate(pairs):
        least = ZERO if place == len(pairs) - 1 else ZERO + 1
        same = [equal(*pair) for pair in pairs[:place]]
        atoms.append(Atom(differences=frozenset([*same, Difference(out=out, inp=inp, lo=least)])))
    return Relation(tuple(atoms))


def _control(mask: KeyValid | SameSegment | Prefix, control: int, at: Coordinates) -> Relation:
    operand = at.first + control
    out, inp = at.leading(control)
    if isinstance(mask, KeyValid):
        guard = Guard(side="in", predicate=operand, coordinates=(*inp, *at.key))
        return _one(Atom(guards=frozenset({guard})))
    if isinstance(mask, SameSegment):
        if not at.query:
            return EVERYTHING
        equality = SegmentsEqual(segments=operand, out=(*out, *at.query), inp=(*inp, *at.key))
        return _one(Atom(segments=frozenset({equality})))
    if len(at.key) != 1:
        return EVERYTHING
    bound = PrefixBound(inp=at.key[0], prefix=operand, leading=inp)
    return _one(Atom(prefixes=frozenset({bound})))
