"""What padding promises add to an atom: `right` says that a true value has only true ones before it, and that there is
one; `left` is its mirror."""

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
"""What inputs promise; one that promises nothing is left out."""


class Facts:
    """What is known of a pair (i, j) of an atom."""

    def __init__(self, atom: Atom, out: Space, inp: Space, promises: Promises) -> None:
        self.closure = close(atom, out, inp)
        self.guards = both_sides(self.closure) if self.closure is not None else set()
        self.promises = promises

    @property
    def impossible(self) -> bool:
        """Whether surely no pair fits: an empty range, or a predicate that would have to hold and not to hold."""
        return self.closure is None or any(self.holds(opposite(guard)) for guard in self.guards)

    def holds(self, wanted: Guard) -> bool:
        """Whether the predicate surely holds (or does not) at that place."""
        if wanted in self.guards or self._by_promise_alone(wanted):
            return True
        found = (g for g in self.guards if g.predicate == wanted.predicate and g.negated is wanted.negated)
        return any(self._follows(guard, wanted) for guard in found)

    def _promise(self, guard: Guard) -> Padding | None:
        """What the predicate's input promises of its positions, where they are one coordinate."""
        term = guard.predicate
        if not isinstance(term, Term):
            return None
        return self.promises.get(term)

    def _by_promise_alone(self, wanted: Guard) -> bool:
        """`right`: the first position is valid; `left`: the last one."""
        promise, term = self._promise(wanted), wanted.predicate
        if promise is None or wanted.negated or self.closure is None or not isinstance(term, Term):
            return False
        ranges = self.closure.out if wanted.side == "out" else self.closure.inp
        place = extent(form(wanted.coordinates[-1]), ranges)
        if promise == "right":
            return place.hi is not None and no_less(ZERO, place.hi + wanted.offset)
        return place.lo is not None and no_less(place.lo + wanted.offset, term.type.axes[-1].size - 1)

    def _follows(self, known: Guard, wanted: Guard) -> bool:
        """Whether both speak of one place, or the promise leads from one to the other."""
        apart = self._apart(known, wanted)
        if apart is None:
            return False
        if apart.lo is not None and apart.lo == apart.hi == ZERO:
            return True
        promise = self._promise(wanted)
        if promise is None:
            return False
        later = (promise == "right") is not wanted.negated
        if later:
            return apart.lo is not None and no_less(apart.lo, ZERO)
        return apart.hi is not None and no_less(ZERO, apart.hi)

    def _apart(self, known: Guard, wanted: Guard) -> Interval | None:
        """The position of the known less that of the wanted; None where the rows are not surely the same."""
        *leading, last = zip(known.coordinates, wanted.coordinates, strict=True)
        if not all(self._difference(known, wanted, *pair) == Interval(ZERO, ZERO) for pair in leading):
            return None
        lo, hi = self._difference(known, wanted, *last)
        shift = ZERO + known.offset - wanted.offset
        return Interval(None if lo is None else lo + shift, None if hi is None else hi + shift)

    def _difference(self, known: Guard, wanted: Guard, here: Place, there: Place) -> Interval:
        if known.side == wanted.side:
            return Interval(ZERO, ZERO) if here == there else Interval()
        assert self.closure is not None
        if known.side == "out":
            return reduce(tighter, self.closure.between(here, there), Interval())
        return negative(reduce(tighter, self.closure.between(there, here), Interval()))


def opposite(guard: Guard) -> Guard:
    """The guard that says the contrary."""
    return replace(guard, negated=not guard.negated)
