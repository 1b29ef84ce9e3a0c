"""Where the name under the pointer is defined, and where it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from archspec.diagnostics import SpecError
from archspec.editing.desk import Desk, TooManyFilesError
from archspec.editing.family import family, spots
from archspec.editing.library import Library
from archspec.editing.names import Occurrence
from archspec.editing.places import Extent, Position, Spot, spot
from archspec.editing.state import State
from archspec.spec.files import locate_parent
from archspec.text.nodes import TextNode

_TOP = Extent(Position(0, 0), Position(0, 0))


def definition(state: State, place: Position, library: Library) -> tuple[Spot, ...]:
    """Where a name is defined; of a definition that overrides another, the other; the file that a text names."""
    file = _file(state, place, library.desk)
    if file is not None:
        return (Spot(str(file), _TOP),)
    occurrence = state.occurrence(place)
    if occurrence is None or state.names is None or state.read is None:
        return ()
    found = state.names.definitions.get(occurrence.name)
    for one in () if found is None else (found, *_above(state, occurrence, library)):
        if one.span.source.name == state.file:
            extent = state.extent(one.span)
            if extent is not None and one.span != occurrence.span:
                return (Spot(state.file, extent),)
        else:
            return (spot(one.span),)
    extent = None if found is None else state.extent(found.span)
    return () if extent is None else (Spot(state.file, extent),)


def _above(state: State, occurrence: Occurrence, library: Library) -> Iterator[Occurrence]:
    """The definitions of a name in the files that a document extends, nearest first."""
    for path in () if state.read is None else state.read.seen:
        if str(path) != state.file:
            names = library.reading(path).names
            found = None if names is None else names.definitions.get(occurrence.name)
            if found is not None:
                yield found


def references(state: State, place: Position, library: Library, *, declared: bool) -> tuple[Spot, ...]:
    """Where a name is used, in all files that share it and are found; with `declared` its definitions too.

    Of a text that does not parse these are the places of the last one that did, in this file alone.
    """
    occurrence = state.occurrence(place)
    if occurrence is None or state.names is None:
        return ()
    if state.read is state.now:
        others: list[Path] = []
        with suppress(TooManyFilesError):
            others.extend(library.desk.specs())
        found = spots(family(Path(state.file), occurrence.name, others, library), occurrence.name)
        return tuple(one for one, occurrence in found.items() if declared or not occurrence.what)
    return tuple(Spot(state.file, extent) for extent in _own(state, occurrence, declared=declared))


def highlights(state: State, place: Position) -> tuple[Extent, ...]:
    """Where a name stands in the document itself."""
    occurrence = state.occurrence(place)
    return () if occurrence is None else tuple(_own(state, occurrence, declared=True))


def _own(state: State, occurrence: Occurrence, *, declared: bool) -> Iterator[Extent]:
    for one in () if state.names is None else state.names.of(occurrence.name):
        extent = state.extent(one.span) if declared or not one.what else None
        if extent is not None:
            yield extent


def _file(state: State, place: Position, desk: Desk) -> Path | None:
    """The file that a text names: a parent or a layout."""
    slot = state.slot(place)
    if slot is None or not isinstance(slot.node, TextNode):
        return None
    if slot.trail == ("extends",):
        try:
            found = locate_parent(slot.node)
        except SpecError:
            return None
        return found if desk.has(found) else None
    if len(slot.trail) == 2 and slot.trail[0] == "weights":
        found = Path(slot.node.span.source.name).parent / slot.node.value
        return found if desk.has(found) else None
    return None
