"""Paths that have another name in the second spec, as few as say it all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archspec.diff.matching import Region
from archspec.diff.words import shortened


class PathNames:
    """The first spec's path for a path of the second, by the longest beginning that has another name."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self.pairs = pairs
        self._known = {tuple(after.split(".")): tuple(before.split(".")) for before, after in pairs.items()}

    def before(self, path: str) -> str:
        """What the first spec calls a path of the second."""
        parts = tuple(path.split("."))
        for count in range(len(parts), 0, -1):
            found = self._known.get(parts[:count])
            if found is not None:
                return ".".join((*found, *parts[count:]))
        return path


def renamed_paths(region: Region, inputs: Mapping[str, str]) -> dict[str, str]:
    """The second spec's name for each path of the first that has another, inputs included."""
    found = {before: after for before, after in inputs.items() if before != after}
    for inner in region.walk():
        places = ((one.place, other.place) for one, other in inner.pairs.steps.items())
        for before, after in _shortest(places):
            found.setdefault(before, after)
    return found


def _shortest(places: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Pairs of paths that differ, without the ends that they share."""
    for before, after in places:
        if before == after or not before or not after:
            continue
        yield shortened(before, after)
