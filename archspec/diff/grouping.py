"""Differences at single steps as lines of a review: what is one thing at several places is one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archspec.diff.changes import Change, Effect, Kind
from archspec.diff.places import merged
from archspec.diff.steps import Sort, StepChange
from archspec.diff.words import listed

MOST_SIZES = 6
"""Of more pairs of sizes than this, only the first are named."""
MOST_WIRED = 3
"""Of more steps than this that read other values, only the places are named."""
_KINDS: dict[Sort, Kind] = {"training": "training"}
_EFFECTS: dict[Sort, Effect] = {"added": "gained", "removed": "lost", "op": "replaced"}


def grouped_changes(found: Iterable[StepChange]) -> Iterator[Change]:
    """A change for each thing that differs, with all places where it does; sizes together in one."""
    groups: dict[tuple[Sort, str], list[StepChange]] = {}
    for one in found:
        groups.setdefault((one.sort, one.text), []).append(one)
    sizes = {text: group for (sort, text), group in groups.items() if sort == "size"}
    if sizes:
        yield _sizes(sizes)
    wired = [one for (sort, _), group in groups.items() if sort == "reads" for one in group]
    many = len({text for sort, text in groups if sort == "reads"}) > MOST_WIRED
    if many:
        places = _places(wired)
        yield Change(kind="computation", places=places, text=f"wired another way: {listed(places)}")
    for (sort, text), group in groups.items():
        if sort != "size" and not (many and sort == "reads"):
            yield _change(sort, text, group)


def _places(group: Sequence[StepChange]) -> tuple[str, ...]:
    return tuple(merged(one.place for one in group))


def _change(sort: Sort, text: str, group: Sequence[StepChange]) -> Change:
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


def _sizes(groups: dict[str, list[StepChange]]) -> Change:
    """One line for all sizes: those that differ at the same places stand together."""
    by_place: dict[tuple[str, ...], list[str]] = {}
    for text, group in groups.items():
        by_place.setdefault(_places(group), []).append(text)
    told = [f"{', '.join(texts)} in {listed(places)}" for places, texts in by_place.items()]
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
