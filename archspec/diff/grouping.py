"""Differences at single steps as lines of a review: what is one thing at several places is one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archspec.diff.changes import Change, Effect, Kind
from archspec.diff.places import merged
from archspec.diff.steps import Difference, Sort
from archspec.diff.words import listed

MOST_SIZES = 6
"""Of more pairs of sizes than this, only the first are named."""
_KINDS: dict[Sort, Kind] = {"training": "training"}
_EFFECTS: dict[Sort, Effect] = {"added": "gained", "removed": "lost", "op": "replaced"}


def grouped_changes(found: Iterable[Difference]) -> Iterator[Change]:
    """A change for each thing that differs, with all places where it does; sizes together in one."""
    groups: dict[tuple[Sort, str], list[Difference]] = {}
    for one in found:
        groups.setdefault((one.sort, one.text), []).append(one)
    sizes = {text: group for (sort, text), group in groups.items() if sort == "size"}
    if sizes:
        yield _sizes(sizes)
    for (sort, text), group in groups.items():
        if sort != "size":
            yield _change(sort, text, group)


def _places(group: Sequence[Difference]) -> tuple[str, ...]:
    return tuple(merged(one.place for one in group))


def _change(sort: Sort, text: str, group: Sequence[Difference]) -> Change:
    places = _places(group)
    return Change(
        kind=_KINDS.get(sort, "computation"),
        places=places,
        text=_told(sort, text, places),
        before=group[0].before or None,
        after=group[0].after or None,
        effect=_EFFECTS.get(sort, ""),
    )


def _told(sort: Sort, text: str, places: Sequence[str]) -> str:
    if sort not in ("added", "removed"):
        return f"{listed(places)}: {text}"
    verb = "adds" if sort == "added" else "removes"
    if not text:
        return f"{verb} {listed(places)}"
    if text.startswith("("):
        return f"{verb} {listed(places)} {text}"
    return f"{verb} {text} in {listed(places)}"


def _sizes(groups: dict[str, list[Difference]]) -> Change:
    """One line for all sizes: those that differ at the same places stand together."""
    by_place: dict[tuple[str, ...], list[str]] = {}
    for text, group in groups.items():
        by_place.setdefault(_places(group), []).append(text)
    told = [f"{' and '.join(texts)} in {listed(places)}" for places, texts in by_place.items()]
    more = f"; and {len(told) - MOST_SIZES} more" if len(told) > MOST_SIZES else ""
    places = tuple(dict.fromkeys(place for found in by_place for place in found))
    first = next(iter(groups.values()))[0]
    alone = len(groups) == 1
    return Change(
        kind="sizes",
        places=places,
        text=f"sizes: {'; '.join(told[:MOST_SIZES])}{more}",
        before=first.before or None if alone else None,
        after=first.after or None if alone else None,
    )
