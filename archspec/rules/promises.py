"""What padding promises add to an atom.

`right` promises that all positions before a true one are true, and that there is a true one; `left` is its mirror
image. Proofs assume that the inputs keep their promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from archspec.relation.atoms import ZERO, Atom, Guard, Space
from archspec.relation.closure import both_sides, close, tighter
from archspec.relation.forms import Place, extent, form
from archspec.relation.interval import Interval, no_less
from archspec.relation.linear import negative
from archspec.rules.terms import Term
from archspec.spec.inputs import Padding

Promises = Mapping[Term, Padding]
"""The promises of inputs, by input; inputs without a promise are left out."""


class Facts:
    """What is known about the pairs (i, j) of an atom: its constraints, and what the promises add."""

    def __init__(self, atom: Atom, out: Space, inp: Space, promises: Promises) -> None:
        self.closure = close(atom, out, inp)
        self.guards = both_sides(self.closure) if self.closure is not None else set()
        self.promises = promises

    @property
    def impossible(self) -> bool:
        """Whether it is proved that no pair exists: an empty range, or a predicate that must be true and false."""
        return self.closure is None or any(self.holds(opposite(guard)) for guard in self.guards)

    def holds(self, wanted: Guard) -> bool:
        """Whether a guard is proved to hold at every pair of the atom."""
        if wanted in self.guards or self._by_promise_alone(wanted):
            return True
        found = (g for g in self.guards if g.predicate == wanted.predicate and g.negated is wanted.negated)
        return any(self._follows(guard, wanted) for guard in found)

    def _promise(self, guard: Guard) -> Padding | None:
        """The padding that the predicate's input promises, if any."""
        term = guard.predicate
        if not isinstance(term, Term):
            return None
        return self.promises.get(term)

    def _by_promise_alone(self, wanted: Guard) -> bool:
        """Whether the promise alone implies the guard: at the first position for `right`, the last for `left`."""
        promise, term = self._promise(wanted), wanted.predicate
        if promise is None or wanted.negated or self.closure is None or not isinstance(term, Term):
            return False
        ranges = self.closure.out if wanted.side == "out" else self.closure.inp
        place = extent(form(wanted.coordinates[-1]), ranges)
        if promise == "right":
            return place.hi is not None and no_less(ZERO, place.hi + wanted.offset)
        return place.lo is not None and no_less(place.lo + wanted.offset, term.type.axes[-1].size - 1)

    def _follows(self, known: Guard, wanted: Guard) -> bool:
        """Whether a known guard implies the other: both at one position, or the promise leads from one to the other."""
        apart = self._apart(known, wanted)
        if apart is None:
            return False
        if apart.lo is not None and apart.lo == apart.hi == ZERO:
            return True
        promise = self._promise(wanted)
        if promise is None:
            return False
        # With `right`, true spreads to earlier positions and false to later ones; with `left` it is the other way
        # round.
        later = (promise == "right") is not wanted.negated
        if later:
            return apart.lo is not None and no_less(apart.lo, ZERO)
        return apart.hi is not None and no_less(ZERO, apart.hi)

    def _apart(self, known: Guard, wanted: Guard) -> Interval | None:
        """The position of the known guard minus that of the wanted one; None where their rows are not proved equal."""
        *leading, last = zip(known.coordinates, wanted.coordinates, strict=True)
        # The promise holds along one row: guards of different rows say nothing about each other.
        if not all(self._difference(known, wanted, *pair) == Interval(ZERO, ZERO) for pair in leading):
            return None
        lo, hi = self._difference(known, wanted, *last)
        shift = ZERO + known.offset - wanted.offset
        return Interval(None if lo is None else lo + shift, None if hi is None else hi + shift)

    def _difference(self, known: Guard, wanted: Guard, here: Place, there: Place) -> Interval:
        """The interval of the difference of two places, of one side or of both."""
        if known.side == wanted.side:
            # Two places of one side are only compared by identity: an unbounded interval is the sound answer otherwise.
            return Interval(ZERO, ZERO) if here == there else Interval()
        assert self.closure is not None
        if known.side == "out":
            return reduce(tighter, self.closure.between(here, there), Interval())
        return negative(reduce(tighter, self.closure.between(there, here), Interval()))


def opposite(guard: Guard) -> Guard:
    """The negation of a guard."""
    return replace(guard, negated=not guard.negated)
