"""Where something differs: the path of a node, and which layers it stands for."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.diff.words import numbers
from archspec.record import record

ALL = "*"


@record(kw_only=False)
class LayerSet:
    """Some of the layers that two stacks have in common."""

    found: frozenset[int]
    of: int

    def __str__(self) -> str:
        return ALL if len(self.found) == self.of else numbers(sorted(self.found))


@record(kw_only=False)
class StepPlace:
    """A path with `*` for each number of a layer, and the layers that each `*` stands for."""

    path: str
    layers: tuple[LayerSet, ...] = ()

    def __str__(self) -> str:
        left = iter(self.layers)
        return ".".join(str(next(left, ALL)) if part == ALL else part for part in self.path.split("."))


def merged(places: Iterable[StepPlace]) -> list[str]:
    """Places as text, once each; those that differ in their layers alone are one."""
    known: dict[tuple[str, tuple[LayerSet, ...]], LayerSet | None] = {}
    for place in places:
        # Of nested layers only the innermost are joined.
        key = place.path, place.layers[:-1]
        last, before = place.layers[-1] if place.layers else None, known.get(key)
        known[key] = last if before is None or last is None else LayerSet(before.found | last.found, last.of)
    return [str(StepPlace(path, (*outer, *([last] if last else [])))) for (path, outer), last in known.items()]
