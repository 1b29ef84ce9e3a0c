"""Columns of a plan: paths of parts that stand above one another, and their order from left to right."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.record import record
from archspec.views.diagram.plan import DiagramPart, DiagramPlan

_JOINS = ("sum", "product", "norm", "small", "output", "pool")


@record
class Lanes:
    """`columns` are parts from the bottom up, from left to right; `asides` stand beside the part that reads them."""

    columns: tuple[tuple[int, ...], ...]
    asides: dict[int, tuple[int, ...]]

    def of(self, part: int) -> int:
        """The column of a part."""
        return next(number for number, column in enumerate(self.columns) if part in column)


def lanes(plan: DiagramPlan) -> Lanes:
    """The longest way to the result is one column; what branches off or flows in stands beside it."""
    asides = _asides(plan)
    taken = {part for beside in asides.values() for part in beside}
    far = depths(plan)
    columns: list[list[int]] = []
    for end in (plan.result, *reversed(range(len(plan.parts)))):
        if end >= 0 and end not in taken:
            column = list(_back(plan, end, far, taken))
            taken.update(column)
            columns.append(column[::-1])
    return Lanes(columns=tuple(map(tuple, _ordered(plan, columns))), asides=asides)


def _asides(plan: DiagramPlan) -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = {}
    for number, part in enumerate(plan.parts):
        readers = {wire.target for wire in plan.out_of(number)}
        if part.role == "aside" and len(readers) == 1 and not plan.into(number):
            beside = found.setdefault(readers.pop(), [])
            if not beside:
                beside.append(number)
    return {reader: tuple(beside) for reader, beside in found.items() if plan.parts[reader].inside is None}


def depths(plan: DiagramPlan) -> list[int]:
    """How many parts lie on the longest way to each."""
    found: list[int] = []
    for number in range(len(plan.parts)):
        found.append(1 + max((found[source] for source in _sources(plan, number)), default=0))
    return found


def _sources(plan: DiagramPlan, part: int) -> list[int]:
    """The parts that one may stand above: of several what it works on, or where things join any."""
    joins = plan.parts[part].role in _JOINS
    return [wire.source for wire in plan.into(part) if wire.source >= 0 and (joins or wire.main)]


def _back(plan: DiagramPlan, end: int, far: list[int], taken: set[int]) -> Iterator[int]:
    part: int | None = end
    while part is not None:
        yield part
        free = [source for source in _sources(plan, part) if source not in taken]
        part = max(free, key=lambda source: (far[source], -source), default=None)


def _ordered(plan: DiagramPlan, columns: list[list[int]]) -> list[list[int]]:
    """What flows into a column stands at its left, what only branches off at its right."""
    home = {part: number for number, column in enumerate(columns) for part in column}
    left: dict[int, list[int]] = {}
    right: dict[int, list[int]] = {}
    for number, column in enumerate(columns[1:], 1):
        fed = [home[wire.target] for wire in plan.out_of(column[-1]) if home.get(wire.target, number) != number]
        if fed:
            left.setdefault(fed[0], []).append(number)
        else:
            from_ = [home[wire.source] for wire in plan.into(column[0]) if wire.source in home]
            right.setdefault(from_[0] if from_ else 0, []).append(number)

    def around(number: int) -> Iterator[int]:
        for other in left.get(number, ()):
            yield from around(other)
        yield number
        for other in sorted(right.get(number, ()), key=lambda other: len(columns[other])):
            yield from around(other)

    return [columns[number] for number in (around(0) if columns else ())]


def folded(lanes: Lanes, pieces: list[list[int]]) -> Lanes:
    """The same with its one column cut into several."""
    return Lanes(columns=tuple(map(tuple, pieces)), asides=lanes.asides)


def is_label(part: DiagramPart) -> bool:
    """Whether a part is text without a box: the name of an input or an output."""
    return part.role in ("input", "output")
