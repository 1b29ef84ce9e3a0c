"""The files that a name is shared by: those that define it, and those that extend them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from archspec.editing.desk import same_file
from archspec.editing.library import Library
from archspec.editing.names import NameOf, Occurrence
from archspec.editing.places import Spot, spot
from archspec.editing.reading import FileReading
from archspec.spec.shipped import shipped_specs_dir


def family(path: Path, name: NameOf, others: Iterable[Path], library: Library) -> dict[Path, FileReading]:
    """The files in which a name of the file at `path` is the same name, with their readings.

    These are the file, those of `others` and its own parents that define the name, and all others that extend one of
    these. Files are the same if their names lead to the same place.
    """
    own = library.reading(path)
    above = tuple(own.seen) or (path,)
    roots = {same_file(file) for file in above if _defines(library.reading(file), name)} or {same_file(path)}
    found = {same_file(path): own}
    for other in (*above, *others):
        key = same_file(other)
        if key not in found and not roots.isdisjoint(map(same_file, library.through(other).seen)):
            reading = library.reading(other)
            if reading.names is not None:
                found[key] = reading
    return found


def spots(readings: dict[Path, FileReading], name: NameOf) -> dict[Spot, Occurrence]:
    """Every place where a name is written in these files, each once, in order."""
    found: dict[Spot, Occurrence] = {}
    for reading in readings.values():
        for one in reading.names.of(name) if reading.names is not None else ():
            place = spot(one.span)
            key = Spot(str(same_file(Path(place.file))), place.extent)
            if key not in found or one.what:
                found[key] = one
    return dict(sorted(found.items(), key=lambda item: (item[0].file, item[1].span.start)))


def is_shipped(path: Path) -> bool:
    """Whether a file is one of the specs that come with the package."""
    return shipped_specs_dir().resolve() in same_file(path).parents


def _defines(reading: FileReading, name: NameOf) -> bool:
    return reading.names is not None and name in reading.names.definitions
