"""The relation that a rule expects, which may only shrink: nothing here joins, rounds or drops a constraint.

The relation that is found may be too wide, the one that is expected too narrow. Each has its own functions, so that
neither resolves a doubt in the direction of the other.
"""

from __future__ import annotations

from itertools import combinations

from archspec.relation.atoms import ZERO, Atom, Relation
from archspec.relation.union import intervals_merged, without_sign


def merged(relation: Relation) -> Relation:
    """The same pairs in fewer atoms, where the union of two atoms is exactly one:

    `p` and `not p`, or touching intervals.
    """
    atoms = list(dict.fromkeys(relation.atoms))
    while (found := _first(atoms)) is not None:
        left, right, both = found
        atoms = [atom for atom in atoms if atom not in (left, right, both)] + [both]
    return Relation(tuple(atoms))


def _first(atoms: list[Atom]) -> tuple[Atom, Atom, Atom] | None:
    """The first two atoms whose union is one atom, and that atom; None where there are none."""
    # Exact unions only: an atom that contains a little more would let a rule be proved that does not hold.
    for left, right in combinations(atoms, 2):
        both = _union(left, right)
        if both is not None:
            return left, right, both
    return None


def _union(left: Atom, right: Atom) -> Atom | None:
    """The atom that is exactly the union of two, or None."""
    if left.guards == right.guards:
        return intervals_merged(left, right)
    # A guard that is shifted may be beyond the ends, where neither it nor its contrary holds.
    exact = all(ZERO + guard.offset == ZERO for guard in left.guards ^ right.guards)
    return without_sign(left, right) if exact else None
