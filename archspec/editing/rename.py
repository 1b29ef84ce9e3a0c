"""Rename a name in every file that shares it, and only where the files then say the same.

What the edits give is checked before they are handed out, so that a name that a walk over the files would miss, such as
one inside a folded text, is refused and never half renamed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from archspec.blocks.registry import blocks
from archspec.diagnostics import Source
from archspec.editing.analysis import Analysis
from archspec.editing.desk import Desk, TooManyFilesError, same_file
from archspec.editing.family import family, is_shipped, spots
from archspec.editing.library import Library
from archspec.editing.names import BLOCKS, NameOf, Occurrence
from archspec.editing.places import Extent, Lines, Position, Spot
from archspec.editing.reading import FileReading
from archspec.editing.state import State
from archspec.masks.registry import atoms
from archspec.record import record
from archspec.spec.composite_block import RESERVED_FIELDS
from archspec.text.reserved import RESERVED

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXTENDS = re.compile(r"(?m)^extends[ \t]*:[ \t]*(['\"]?)([^\s'\"#]+)\1")


class RenameRefusedError(Exception):
    """A name that cannot be renamed as asked; the text says why."""


@record(kw_only=False)
class Edit:
    """A text that replaces an extent of a file."""

    spot: Spot
    text: str


def renamable(state: State, place: Position) -> Extent | None:
    """The extent of the name at a place; None where there is none that could be renamed."""
    occurrence = state.occurrence(place)
    if occurrence is None or state.names is None or state.read is not state.now:
        return None
    is_known = occurrence.name in state.names.definitions and occurrence.span.text == occurrence.name.text
    return state.extent(occurrence.span) if is_known else None


def rename(state: State, place: Position, new: str, library: Library) -> tuple[Edit, ...]:
    """The edits that give the name at a place another text, in all files that share it.

    Raises RenameRefusedError where there is no name, the text cannot name it, a file cannot be changed, or the files
    would not say the same as before.
    """
    if state.read is not state.now:
        raise RenameRefusedError("the file does not parse")
    occurrence = state.occurrence(place)
    if occurrence is None or renamable(state, place) is None or state.names is None:
        raise RenameRefusedError("this is not a name that the file defines")
    name = occurrence.name
    if new == name.text:
        return ()
    _check_text(name, new)
    readings = _shared(Path(state.file), name, library)
    for reading in readings.values():
        taken = None if reading.names is None else reading.names.definitions.get(NameOf(name.scope, new))
        if taken is not None:
            raise RenameRefusedError(f"`{new}` is the name of {taken.what} in {Path(reading.source.name).name}")
    found = spots(readings, name)
    _check_files(found, library.desk)
    for reading in readings.values():
        _check_alone(name, reading)
    edits = tuple(Edit(spot, _text(one, new)) for spot, one in found.items())
    trial = _edited(edits, library)
    for path, reading in readings.items():
        _check_names(reading, trial.reading(path), name, new)
        if _meaning(library.analysis(path)) != _meaning(trial.analysis(path)):
            raise RenameRefusedError(f"{path.name} would not say the same as before")
    return edits


def _shared(path: Path, name: NameOf, library: Library) -> dict[Path, FileReading]:
    """The readings of all files that share a name. Refuse a name of which some file cannot be read."""
    try:
        others = tuple(library.desk.specs())
    except TooManyFilesError as error:
        raise RenameRefusedError(str(error)) from None
    found = family(path, name, others, library)
    for reading in found.values():
        for file in reading.seen:
            if not library.through(file).parses:
                raise RenameRefusedError(f"{file.name}, which {Path(reading.source.name).name} names, cannot be read")
    for other in others:
        if library.through(other).parses:
            continue
        if named := _EXTENDS.search(library.desk.text(other) or ""):
            parent = other.parent / named[2]
            if same_file(parent) in found:
                raise RenameRefusedError(f"{other.name}, which extends {named[2]}, does not parse")
    return found


def _check_text(name: NameOf, new: str) -> None:
    """Refuse a text that is not a name, or means something else already."""
    if not _NAME.fullmatch(new):
        raise RenameRefusedError(f"`{new}` is not a name: use letters, digits and `_`, a letter first")
    if new in RESERVED or new in atoms():
        raise RenameRefusedError(f"`{new}` is a reserved word")
    if name.scope == BLOCKS and new in blocks():
        raise RenameRefusedError(f"`{new}` is a block of the language")
    if name.scope[0] == "body" and new in RESERVED_FIELDS:
        raise RenameRefusedError(f"`{new}` is a field of every block")


def _check_alone(name: NameOf, reading: FileReading) -> None:
    """Refuse a name of which some text is another name too: a line of a layout for the bodies of several blocks."""
    every = () if reading.names is None else reading.names.all
    own = {(one.span.source.name, one.span.start) for one in every if one.name == name and not one.group}
    for one in every:
        if one.name != name and (one.span.source.name, one.span.start) in own:
            where = f"line {one.span.line} of {Path(one.span.source.name).name}"
            raise RenameRefusedError(
                f"`{name.text}` in {where} is the name of a node of the block `{one.name.scope[-1]}` too"
            )


def _check_files(found: Mapping[Spot, Occurrence], desk: Desk) -> None:
    """Refuse names in files that come with the package, unless they are what is being edited, and names in folds."""
    own = {path.resolve() for path in (*desk.opened, *desk.folders)}
    for spot, occurrence in found.items():
        path = Path(spot.file)
        if is_shipped(path) and not own & {path.resolve(), *path.resolve().parents}:
            raise RenameRefusedError(f"`{occurrence.name.text}` stands in {path.name}, which comes with archspec")
        if not occurrence.group and occurrence.span.text != occurrence.name.text:
            line = spot.extent.start.line + 1
            raise RenameRefusedError(f"the text in line {line} of {path.name} is folded or has escapes")


def _text(occurrence: Occurrence, new: str) -> str:
    """What stands at an occurrence after the renaming: the name, or the group of names that it was written with."""
    old = occurrence.name.text
    return f"({' '.join(new if one == old else one for one in occurrence.group)})" if occurrence.group else new


def _edited(edits: tuple[Edit, ...], library: Library) -> Library:
    """A library in which the files have these edits."""
    texts: dict[Path, str] = {}
    for file in dict.fromkeys(one.spot.file for one in edits):
        text = library.desk.text(Path(file))
        if text is None:
            raise RenameRefusedError(f"cannot read {file}")
        texts[Path(file)] = edited(text, [one for one in edits if one.spot.file == file])
    return Library(library.desk.with_texts(texts))


def _check_names(before: FileReading, after: FileReading, name: NameOf, new: str) -> None:
    """Refuse edits after which a text is another name than before, or a word of the language, or no word any more.

    A constant that is called `same` is no size where padding may be `same`, and a field of a block that is called
    `gelu` would replace every `gelu` of the body.
    """
    wanted = [(new if one.name == name else one.name.text, one.what) for one in _written(before)]
    if wanted != [(one.name.text, one.what) for one in _written(after)]:
        file = Path(before.source.name).name
        raise RenameRefusedError(f"`{new}` would be taken for something else, or something else for it, in {file}")


def _written(reading: FileReading) -> list[Occurrence]:
    """The names of a file, and of those that it extends, in the order in which they stand there."""
    every = () if reading.names is None else reading.names.all
    return sorted(every, key=lambda one: (one.span.source.name, one.span.start))


def edited(text: str, edits: Iterable[Edit]) -> str:
    """A text after edits that do not overlap."""
    source = Source.of("", text)
    lines, text = Lines(source), source.text
    spans = sorted((lines.offset(one.spot.extent.start), lines.offset(one.spot.extent.end), one.text) for one in edits)
    for start, end, new in reversed(spans):
        text = text[:start] + new + text[end:]
    return replace(source, text=text).whole


def _meaning(analysis: Analysis) -> tuple[object, ...]:
    """What a check says without names: kinds of findings, counts, types of results and verdicts."""
    found = sorted((one.severity, one.code) for one in analysis.findings)
    report = analysis.report
    if report is None:
        return (found,)
    return (
        found,
        (report.cost.parameters, report.cost.trainable, report.cost.tied, report.cost.flops.typical()),
        [tuple(size.typical() for size in value.type.shape) for value in report.spec.outputs.values()],
        [one.status for one in report.verdicts],
        len(report.spec.values),
    )
