"""Patterns of paths in the module: `*` where all layers of a list are meant, `0-2+7` where some are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archspec.analyses.parameters import owned_groups
from archspec.ir.graph import Graph
from archspec.record import record


@record(kw_only=False)
class LayerPlace:
    """A path with `*` for numbers of layers, and the numbers that each of them runs over, outermost first."""

    path: str
    layers: tuple[tuple[int, ...], ...]


class Patterns:
    """Writes the places of one graph.

    `first_layers` gives the number that the first layer of a list has, where it is not 0.
    """

    def __init__(self, graph: Graph, first_layers: Mapping[str, int] | None = None) -> None:
        self.first_layers = first_layers or {}
        self.lists: dict[str, set[int]] = {}
        for group in owned_groups(graph):
            for prefix, numbers in zip(prefixes(group.pattern), group.layers, strict=True):
                self.lists.setdefault(prefix, set()).update(numbers)

    def merged(self, entries: Iterable[tuple[LayerPlace, str]]) -> dict[str, str]:
        """Entries by pattern; layers of one list with equal entries share a pattern."""
        layers: dict[tuple[str, str], set[int]] = {}
        found: list[tuple[LayerPlace, str]] = []
        for place, value in entries:
            if len(place.layers) == 1:
                layers.setdefault((place.path, value), set()).update(place.layers[0])
            found.append((place, value))
        made: dict[str, str] = {}
        for place, value in found:
            whole = place
            if len(place.layers) == 1:
                whole = LayerPlace(place.path, (tuple(sorted(layers[place.path, value])),))
            made[self.spelled(whole)] = value
        return made

    def spelled(self, place: LayerPlace) -> str:
        """The pattern of a place."""
        numbers = iter(zip(prefixes(place.path), place.layers, strict=True))
        return ".".join(self.part(*next(numbers)) if part == "*" else part for part in place.path.split("."))

    def part(self, prefix: str, numbers: tuple[int, ...]) -> str:
        """The numbers of some layers of a list."""
        if set(numbers) == self.lists.get(prefix):
            return "*"
        numbers = tuple(number + self.first_layers.get(prefix, 0) for number in numbers)
        return "+".join(str(first) if first == last else f"{first}-{last}" for first, last in runs(numbers))


def prefixes(path: str) -> Iterator[str]:
    """The paths in front of each `*`."""
    parts = path.split(".")
    return (".".join(parts[:number]) for number, part in enumerate(parts) if part == "*")


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers in order as runs of consecutive ones."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
