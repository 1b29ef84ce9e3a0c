"""Columns of a plan: paths of parts placed above one another, and the order of columns from left to right."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.record import record
from archspec.views.diagram.plan import DiagramPart, DiagramPlan

_JOINS = ("sum", "product", "norm", "small", "output", "pool")


@record
class Lanes:
    """Columns from left to right, each with its parts from the bottom up.

    `asides` are the parts placed beside the part that reads them, by the number of that part.
    """

    columns: tuple[tuple[int, ...], ...]
    asides: dict[int, tuple[int, ...]]

    def of(self, part: int) -> int:
        """The number of the column that contains a part."""
        return next(number for number, column in enumerate(self.columns) if part in column)


def lanes(plan: DiagramPlan) -> Lanes:
    """Assign the parts of a plan to columns: the longest path to the result is one, and other paths are beside it."""
    asides = _asides(plan)
    taken = {part for beside in asides.values() for part in beside}
    far = depths(plan)
    columns: list[list[int]] = []
    # Each part that is in no column yet, from the last one backwards, becomes the end of a new column.
    for end in (plan.result, *reversed(range(len(plan.parts)))):
        if end >= 0 and end not in taken:
            column = list(_back(plan, end, far, taken))
            taken.update(column)
            columns.append(column[::-1])
    return Lanes(columns=tuple(map(tuple, _ordered(plan, columns))), asides=asides)


def _asides(plan: DiagramPlan) -> dict[int, tuple[int, ...]]:
    """Parts to place beside their only reader, at most one for each reader that is not opened."""
    found: dict[int, list[int]] = {}
    for number, part in enumerate(plan.parts):
        # A part that reads an aside twice is one reader.
        readers = {wire.target for wire in plan.out_of(number)}
        if part.role == "aside" and len(readers) == 1 and not plan.into(number):
            beside = found.setdefault(readers.pop(), [])
            if not beside:
                beside.append(number)
    return {reader: tuple(beside) for reader, beside in found.items() if plan.parts[reader].inside is None}


def depths(plan: DiagramPlan) -> list[int]:
    """The number of parts on the longest path to each part, itself included."""
    found: list[int] = []
    for number in range(len(plan.parts)):
        found.append(1 + max((found[source] for source in _sources(plan, number)), default=0))
    return found


def _sources(plan: DiagramPlan, part: int) -> list[int]:
    """The parts above which a part may be placed: all sources if it joins values, else its main ones."""
    joins = plan.parts[part].role in _JOINS
    return [wire.source for wire in plan.into(part) if wire.source >= 0 and (joins or wire.main)]


def _back(plan: DiagramPlan, end: int, far: list[int], taken: set[int]) -> Iterator[int]:
    """The longest path from a part back through parts that are in no column yet."""
    part: int | None = end
    while part is not None:
        yield part
        free = [source for source in _sources(plan, part) if source not in taken]
        part = max(free, key=lambda source: (far[source], -source), default=None)


def _ordered(plan: DiagramPlan, columns: list[list[int]]) -> list[list[int]]:
    """Columns in order: one that flows into another is on its left, one that only branches off is on its right."""
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

    seen: set[int] = set()

    def around(number: int) -> Iterator[int]:
        if number in seen:
            return
        seen.add(number)
        for other in left.get(number, ()):
            yield from around(other)
        yield number
        for other in sorted(right.get(number, ()), key=lambda other: len(columns[other])):
            yield from around(other)

    # Two columns may hang on each other and neither on the first: one flows into another that branches off from it.
    return [columns[one] for number in range(len(columns)) for one in around(number)]


def folded(lanes: Lanes, pieces: list[list[int]]) -> Lanes:
    """The same lanes with their single column cut into the given pieces."""
    return Lanes(columns=tuple(map(tuple, pieces)), asides=lanes.asides)


def is_label(part: DiagramPart) -> bool:
    """Whether a part is text without a box: the name of an input or an output."""
    return part.role in ("input", "output")
