"""Choose the layout of a checkpoint: the one that is named, or the only one under which every name matches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from archspec.diagnostics import Span, did_you_mean, fail
from archspec.layouts.layout import Layout
from archspec.layouts.operations import Shape
from archspec.layouts.rename import foreign_wrappers, unwrapped
from archspec.weights.match import Match, MatchStep, match


def named(layouts: Sequence[Layout], name: str, span: Span | None = None) -> Layout:
    """Return the layout named `name`. Raises SpecError E520 if there is none."""
    found = {layout.name: layout for layout in layouts}
    if name not in found:
        help = "this spec has no layouts; weights under the module's own names need none"
        fail("E520", f"no layout is named `{name}`", span, help=did_you_mean(name, found, kind="layouts") or help)
    return found[name]


def choose(layouts: Sequence[Layout], ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> Match:
    """Return the match of the one layout under which every name matches; a checkpoint in our own names needs none.

    `ours` and `theirs` are shapes by name; only names are compared here.
    Raises SpecError E521 if no layout matches, with the number of names that each one misses, or if several match.
    """
    # The module's own names need no layout, so they are tried first.
    own = own_match(ours, theirs)
    if own is not None:
        return own
    tried = [(layout, match(layout, ours, theirs)) for layout in layouts]
    good = [(layout, found) for layout, found in tried if not found.misses]
    if len(good) > 1:
        names = ", ".join(f"`{layout.name}`" for layout, _ in good)
        fail("E521", f"several layouts match these weights: {names}", None, help="name the layout to use")
    if not good:
        _refuse(tried, ours, theirs)
    return good[0][1]


def _refuse(tried: Sequence[tuple[Layout, Match]], ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> NoReturn:
    """Raise E521 with one note for each layout that was tried, the nearest first; the only one that fits all kinds."""
    for layout, found in tried:
        _refuse_length(layout, found, ours, theirs)
    misses = {f"layout `{layout.name}`": (found.misses, found.diagnostics[0].message) for layout, found in tried}
    # The module's own names are a candidate like any layout, so their misses are listed with the others.
    misses["own names"] = own_misses(ours, theirs)
    notes = [_miss(what, misses[what]) for what in sorted(misses, key=lambda what: misses[what][0])]
    help = "name a layout to see every mismatch with it, or add one under `weights`"
    fail("E521", "no layout matches these weights", None, notes=notes, help=help)


def _refuse_length(layout: Layout, found: Match, ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> None:
    """Raise E521 where a layout misses only tensors of a kind that it finds under other numbers: of other layers."""
    matched = {name for step in found.steps for name in step.ours}
    used = {*found.skipped, *(name for step in found.steps for name in step.names), *(one.other for one in found.equal)}
    missing, extra = ({*ours} - matched, {*theirs} - used)
    if any(one.code not in ("E513", "E514") for one in found.diagnostics):
        return
    if not (_kinds(missing) <= _kinds(matched) and _kinds(extra) <= _kinds(used)):
        return
    what = f"layout `{layout.name}` fits these weights but for {found.misses} name{'s' * (found.misses != 1)}"
    help = "the spec has fewer layers than the file: the two numbers must agree"
    if missing:
        help = "the file is incomplete, or the spec has more layers than the file: the two numbers must agree"
    fail("E521", what, None, notes=[one.message for one in found.diagnostics[:2]], help=help)


def _kinds(names: Iterable[str]) -> set[str]:
    """The names with every number as `*`."""
    return {re.sub(r"\d+", "*", name) for name in names}


def own_match(ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> Match | None:
    """Return the match of a checkpoint that has our own names, with or without wrapper prefixes; otherwise None."""
    actual = without_wrappers(ours, theirs)
    # A smaller `actual` means that two of their names became one without wrappers: then neither can be chosen.
    if len(actual) != len(theirs) or set(actual) != set(ours):
        return None
    return Match(steps=tuple(MatchStep(ours=(name,), theirs=((actual[name],),)) for name in ours), diagnostics=())


def without_wrappers(ours: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    """Map each of their names without wrapper prefixes to the name as it is written.

    A wrapper prefix with which one of our own names starts is kept: there it is part of a name.
    """
    wrappers = foreign_wrappers(ours)
    return {unwrapped(name, wrappers): name for name in theirs}


def own_misses(ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> tuple[int, str]:
    """Return how many names differ from our own, and a text about the first of them."""
    actual = without_wrappers(ours, theirs)
    missing = [name for name in ours if name not in actual]
    unexpected = [name for new, name in actual.items() if new not in ours]
    first = f"`{missing[0]}` missing" if missing else f"unexpected `{unexpected[0]}`" if unexpected else ""
    return len(missing) + len(unexpected), first


def _miss(what: str, miss: tuple[int, str]) -> str:
    count, first = miss
    return f"{what}: {count} {'name does' if count == 1 else 'names do'} not match; {first}"
