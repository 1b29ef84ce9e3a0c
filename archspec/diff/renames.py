"""Paths that have another name in the second spec, as few as say it all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archspec.diff.matching import Region
from archspec.diff.words import shortened
from archspec.spec import Spec


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


def renamed_paths(region: Region, before: Spec, after: Spec, *names: Mapping[str, str]) -> dict[str, str]:
    """The second spec's name for each path of the first that has another.

    Args:
        region: the steps that correspond.
        before: the first spec.
        after: the second one.
        names: names that are known to correspond, of inputs and of outputs.
    """
    found = {one: other for known in names for one, other in known.items() if one != other}
    for one, other in _values(region, before, after):
        found.setdefault(one, other)
    for inner in region.walk():
        places = ((one.place, other.place) for one, other in inner.pairs.steps.items())
        for one, other in _shortest(places):
            found.setdefault(one, other)
    return found


def _values(region: Region, before: Spec, after: Spec) -> Iterable[tuple[str, str]]:
    """The names of values at the top that correspond, where neither spec has both."""
    pairs = region.pairs
    old, new = (
        {name: body.slots[value] for name, value in spec.values.items() if value in body.slots and "." not in name}
        for spec, body in ((before, pairs.before), (after, pairs.after))
    )
    for one, slot in old.items():
        same = [other for other, its in new.items() if pairs.same(slot, its)] if one not in new else []
        if len(same) == 1 and same[0] not in old:
            yield one, same[0]


def _shortest(places: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Pairs of paths that differ, without the ends that they share."""
    for before, after in places:
        if before == after or not before or not after:
            continue
        yield shortened(before, after)
