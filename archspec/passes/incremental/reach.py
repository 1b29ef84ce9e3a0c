"""How far back an op reads along the axis of positions, from its declared relation alone."""

from __future__ import annotations

from archspec.passes.incremental.forms import NEW, WHOLE, Mode
from archspec.relation.atoms import ZERO, Atom, Difference, Relation, equal
from archspec.relation.entail import implies


def reach(relation: Relation, out: int, inp: int) -> Mode | str:
    """The past entries of coordinate `inp` of an operand that an entry of coordinate `out` of the result may read.

    `NEW` where each reads its own position, a number where no more than that many before it, `WHOLE` where any before
    it; the text "ahead" where it may read a later one, or nothing relates the two.
    """
    found: list[Mode] = []
    for atom in relation.atoms:
        if implies(atom, Atom(differences=frozenset({equal(out, inp)}))):
            found.append(NEW)
        elif implies(atom, Atom(differences=frozenset({Difference(out=out, inp=inp, lo=ZERO)}))):
            found.append(_most(atom, out, inp))
        else:
            return "ahead"
    return WHOLE if None in found else max((mode for mode in found if mode is not None), default=NEW)


def same(relation: Relation, out: int, inp: int) -> bool:
    """Whether each entry reads its own position alone."""
    return reach(relation, out, inp) == NEW


def _most(atom: Atom, out: int, inp: int) -> Mode:
    """The largest distance in an atom, where it is a fixed number."""
    highs = [
        d.hi.constant
        for d in atom.differences
        if (d.out, d.inp, d.a, d.b) == (out, inp, 1, 1) and d.hi is not None and d.hi.is_constant
    ]
    return min((high for high in highs if high is not None), default=WHOLE)
