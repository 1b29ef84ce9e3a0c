"""Masks as relations: which key positions a query may read, and at which of them a control is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Leaf
from archspec.masks.mask import And, Mask, Or
from archspec.masks.walk import fold
from archspec.relation.atoms import EVERYTHING, NOTHING, Relation
from archspec.relation.erase import erase
from archspec.relation.meet import meet


def relation(mask: Mask, at: Coordinates) -> Relation:
    """The pairs (query, key) that a mask allows, as a union of atoms.

    Exact over single position coordinates; over several, windows and prefixes are widened. A mask that is made
    elsewhere allows everything here, because its contents are not known.
    """
    return fold(mask, lambda leaf: leaf.relation(at), _all, _any)


def decisive(mask: Mask, chosen: Callable[[Leaf], bool], operand: int, at: Coordinates) -> Relation:
    """The pairs at which one of the chosen leaves may decide the mask, whatever the operand that they read contains
    elsewhere.

    A leaf can decide a pair only where everything that it is joined to by "and" allows the pair; the other side of an
    "or" is not used.
    """
    match mask:
        case And(terms=terms):
            found = NOTHING
            for place, term in enumerate(terms):
                # The pair must satisfy all other terms too, or the conjunction is false whatever this leaf says.
                own = decisive(term, chosen, operand, at)
                if own.atoms:
                    # The operand is erased from the other terms too: they may hold or not hold through its other
                    # values.
                    others = [erase(relation(other, at), operand) for k, other in enumerate(terms) if k != place]
                    found |= reduce(meet, others, own)
            return found
        case Or(terms=terms):
            return _any([decisive(term, chosen, operand, at) for term in terms])
        case Leaf():
            return EVERYTHING if chosen(mask) else NOTHING
        case _:
            raise TypeError(f"not a mask: {mask!r}")


def _all(parts: list[Relation]) -> Relation:
    return reduce(meet, parts, EVERYTHING)


def _any(parts: list[Relation]) -> Relation:
    return reduce(Relation.__or__, parts, NOTHING)
