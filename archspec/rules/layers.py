"""Repeated layers as a matrix of relations over what they carry and what they capture."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.ir.repeat import Schedule
from archspec.record import record
from archspec.relation.atoms import NOTHING, Relation, Space, identity
from archspec.relation.compose import compose
from archspec.relation.union import united


@record(kw_only=False)
class Layers:
    """What the carried value, after some layers, reads of the one before them and of each captured value."""

    carried: Relation
    captured: tuple[Relation, ...]


@record(kw_only=False)
class Spaces:
    """The sizes of the coordinates of the carried value and of the captured ones."""

    carried: Space
    captured: tuple[Space, ...]

    def none(self) -> Layers:
        """No layer at all."""
        return Layers(identity(len(self.carried)), tuple(NOTHING for _ in self.captured))

    def then(self, first: Layers, second: Layers) -> Layers:
        """Some layers, then some more."""
        s = self.carried
        return Layers(
            compose(second.carried, first.carried, s, s, s),
            tuple(
                united((own, compose(second.carried, before, s, s, other)), s, other)
                for own, before, other in zip(second.captured, first.captured, self.captured, strict=True)
            ),
        )

    def power(self, layers: Layers, times: int) -> Layers:
        """The same layers so many times, by squaring; it ends early where more of them change nothing."""
        result, square = self.none(), layers
        while times:
            if times % 2:
                result = self.then(square, result)
            times //= 2
            if times:
                doubled = self.then(square, square)
                if doubled == square:
                    return self.then(square, result)
                square = doubled
        return result

    def product(self, bodies: Sequence[Layers], numbers: Sequence[int]) -> Layers:
        """Bodies in turn, by their numbers."""
        result = self.none()
        for number in numbers:
            result = self.then(result, bodies[number])
        return result

    def schedule(self, bodies: Sequence[Layers], schedule: Schedule, count: int | None = None) -> Layers:
        """The first `count` layers of a schedule; all where none is given."""
        count = len(schedule) if count is None else count
        start = self.product(bodies, schedule.start[:count])
        left = max(0, count - len(schedule.start))
        period = len(schedule.repeat)
        times = min(schedule.times, left // period) if period else 0
        middle = self.power(self.product(bodies, schedule.repeat), times) if times else self.none()
        done = len(schedule.start) + times * period
        rest = [schedule[layer] for layer in range(done, count)]
        return self.then(self.then(start, middle), self.product(bodies, rest))
