"""What a rule wants, as a relation that may only shrink: nothing here joins, rounds or drops a constraint.

What is found may be too wide, what is wanted too narrow. The two have functions of their own, so that neither settles
a doubt in the direction of the other.
"""

from __future__ import annotations

from itertools import combinations

from archspec.relation.atoms import ZERO, Atom, Relation
from archspec.relation.union import intervals_merged, without_sign


def merged(relation: Relation) -> Relation:
    """The same pairs in fewer atoms, where two atoms are exactly one: `p` and `not p`, or intervals that touch."""
    atoms = list(dict.fromkeys(relation.atoms))
    while (found := _first(atoms)) is not None:
        left, right, both = found
        atoms = [atom for atom in atoms if atom not in (left, right, both)] + [both]
    return Relation(tuple(atoms))


def _first(atoms: list[Atom]) -> tuple[Atom, Atom, Atom] | None:
    """The first two atoms whose union is one atom, and that atom."""
    for left, right in combinations(atoms, 2):
        both = _union(left, right)
        if both is not None:
            return left, right, both
    return None


def _union(left: Atom, right: Atom) -> Atom | None:
    if left.guards == right.guards:
        return intervals_merged(left, right)
    # A guard that is shifted may be beyond the ends, where neither it nor its contrary holds.
    exact = all(ZERO + guard.offset == ZERO for guard in left.guards ^ right.guards)
    return without_sign(left, right) if exact else None
