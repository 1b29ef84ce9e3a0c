"""How far back an op reads along the axis of positions, from its declared relation alone."""

from __future__ import annotations

from archspec.passes.incremental.forms import NEW, WHOLE, Mode, widest
from archspec.record import record
from archspec.relation.atoms import ZERO, Atom, Difference, Relation, equal
from archspec.relation.entail import implies
from archspec.relation.forms import used


@record
class Reach:
    """The past entries of an operand that an entry of the result may read in addition to its own.

    `in_prefix`: also any entry in a prefix of the sequence, later ones too.
    """

    past: Mode
    in_prefix: bool = False


def reach(relation: Relation, out: int, inp: int) -> Reach | None:
    """What an entry at coordinate `out` of a result may read along coordinate `inp` of an operand.

    None where it may read a later entry, or nothing relates the two.
    """
    found = [_of_atom(atom, out, inp) for atom in relation.atoms]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    return Reach(past=widest(one.past for one in known), in_prefix=any(one.in_prefix for one in known))


def same(relation: Relation, out: int, inp: int) -> bool:
    """Whether each entry reads only its own position."""
    return reach(relation, out, inp) == Reach(past=NEW)


def _of_atom(atom: Atom, out: int, inp: int) -> Reach | None:
    # Equality comes first, because it implies the order as well.
    if implies(atom, Atom(differences=frozenset({equal(out, inp)}))):
        return Reach(past=NEW)
    if implies(atom, Atom(differences=frozenset({Difference(out=out, inp=inp, lo=ZERO)}))):
        return Reach(past=_most(atom, out, inp))
    return Reach(past=WHOLE, in_prefix=True) if _is_in_prefix(atom, inp) else None


def _most(atom: Atom, out: int, inp: int) -> Mode:
    """The largest distance in an atom, where it is a fixed number."""
    key = (out, inp, 1, 1)
    ends = (d.hi for d in atom.differences if (d.out, d.inp, d.a, d.b) == key and d.hi is not None)
    # Several bounds hold together, so the least counts.
    return min((end.constant for end in ends if end.constant is not None), default=WHOLE)


def _is_in_prefix(atom: Atom, inp: int) -> bool:
    """Whether an atom names a prefix of the sequence that it stays in."""
    # A prefix whose length is a size is a range of the keys.
    return any(inp in used(bound.inp) for bound in atom.prefixes) or any(
        one.side == "in" and one.coordinate == inp and one.hi is not None for one in atom.ranges
    )
