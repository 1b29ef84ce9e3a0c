"""One reading of a file: its nodes and its names, before anything is checked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from archspec.diagnostics import Collector, Source, SpecError
from archspec.editing.desk import Desk, Version
from archspec.editing.names import NameIndex
from archspec.editing.slots import TreeSlot, Walk
from archspec.record import record
from archspec.spec.composite import define_blocks
from archspec.spec.files import read_file
from archspec.spec.inheritance import inherited
from archspec.spec.resolved import resolved
from archspec.text.nodes import MapNode


@record(eq=False)
class FileReading:
    """The nodes of a file at one content of it and of the files that it names.

    `own` are those of the file, None where its text does not parse; `merged` are those laid over the files that it
    extends, or `own` where one of these cannot be read. `seen` are the files that were read.
    """

    source: Source
    own: MapNode | None
    merged: MapNode | None
    seen: Mapping[Path, Version]

    @cached_property
    def names(self) -> NameIndex | None:
        """The names of the file; None where it does not parse."""
        if self.merged is None:
            return None
        blocks = define_blocks(self.merged, Collector())
        return NameIndex(tree=self.merged, walk=Walk(known=blocks, merged=self.merged))

    @cached_property
    def slots(self) -> tuple[TreeSlot, ...]:
        """The slots of the file itself, without those that it extends."""
        return () if self.own is None or self.names is None else tuple(self.names.walk.slots(self.own))


def read_through(desk: Desk, path: Path) -> FileReading:
    """Read a file, with the open texts of a desk in place of files on disk."""
    own: MapNode | None = None
    merged: MapNode | None = None
    with desk.reading() as seen:
        source = Source.of(str(path), desk.text(path) or "")
        # What is wrong with a parent, or with a file that holds a layout, the check says.
        with suppress(SpecError):
            own = merged = read_file(path)
            merged = inherited(path)
            merged = resolved(merged, as_written=True)
    return FileReading(source=source, own=own, merged=merged, seen=seen)
