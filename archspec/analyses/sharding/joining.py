"""Sets of things that are joined until no more are, each with a number then."""

from __future__ import annotations


class Joining:
    """Disjoint sets of hashable things."""

    def __init__(self) -> None:
        self._above: dict[object, object] = {}
        self._numbers: dict[object, int] = {}

    def top(self, one: object) -> object:
        """What stands for the set of a thing."""
        above = self._above
        while above.get(one, one) != one:
            above[one] = above.get(above[one], above[one])
            one = above[one]
        return one

    def join(self, *things: object) -> None:
        """Put the sets of all things together."""
        first = self.top(things[0])
        for other in things[1:]:
            found = self.top(other)
            if found != first:
                self._above[found] = first

    def number(self, one: object) -> int:
        """The number of the set of a thing; sets are joined no more once one has a number."""
        return self._numbers.setdefault(self.top(one), len(self._numbers))
