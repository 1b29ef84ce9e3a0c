"""Repeated layers as a matrix of relations over the carried value and the captured values."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.ir.repeat import Schedule
from archspec.record import record
from archspec.relation.atoms import NOTHING, Relation, Space, identity
from archspec.relation.compose import compose
from archspec.relation.union import united


@record(kw_only=False)
class Layers:
    """What the carried value after some layers reads of the one before them, and of each captured value."""

    carried: Relation
    captured: tuple[Relation, ...]


@record(kw_only=False)
class Spaces:
    """The coordinate sizes of the carried value and of the captured values."""

    carried: Space
    captured: tuple[Space, ...]

    def none(self) -> Layers:
        """The matrix of no layers: the carried value reads itself, and nothing that is captured."""
        return Layers(identity(len(self.carried)), tuple(NOTHING for _ in self.captured))

    def then(self, first: Layers, second: Layers) -> Layers:
        """The matrix of some layers followed by others."""
        s = self.carried
        return Layers(
            compose(second.carried, first.carried, s, s, s),
            tuple(
                # The later layers read a captured value directly, or through the value that the earlier layers handed
                # them.
                united((own, compose(second.carried, before, s, s, other)), s, other)
                for own, before, other in zip(second.captured, first.captured, self.captured, strict=True)
            ),
        )

    def power(self, layers: Layers, times: int) -> Layers:
        """The matrix of the same layers repeated, by squaring; it stops early at a fixed point."""
        # Compositions are upper bounds: another grouping may give another relation, and all of them are sound.
        result, square = self.none(), layers
        while times:
            if times % 2:
                result = self.then(square, result)
            times //= 2
            if times:
                doubled = self.then(square, square)
                if doubled == square:
                    # Squaring changed nothing, so every further power of `square` equals it. The remaining count is at
                    # least one.
                    return self.then(square, result)
                square = doubled
        return result

    def product(self, bodies: Sequence[Layers], numbers: Sequence[int]) -> Layers:
        """The matrix of bodies that run in turn, given by their numbers."""
        result = self.none()
        for number in numbers:
            result = self.then(result, bodies[number])
        return result

    def schedule(self, bodies: Sequence[Layers], schedule: Schedule, count: int | None = None) -> Layers:
        """The matrix of the first `count` layers of a schedule, or of all of them.

        A long schedule costs a logarithmic number of compositions: the repeated part is a power.
        """
        count = len(schedule) if count is None else count
        start = self.product(bodies, schedule.start[:count])
        left = max(0, count - len(schedule.start))
        period = len(schedule.repeat)
        # Whole periods are one power; a period that `count` cuts off is composed layer by layer below.
        times = min(schedule.times, left // period) if period else 0
        middle = self.power(self.product(bodies, schedule.repeat), times) if times else self.none()
        done = len(schedule.start) + times * period
        rest = [schedule[layer] for layer in range(done, count)]
        return self.then(self.then(start, middle), self.product(bodies, rest))
