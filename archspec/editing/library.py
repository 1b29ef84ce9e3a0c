"""Readings and checks of files, kept for as long as nothing that they were made from changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from archspec.editing.analysis import Analysis, analyse
from archspec.editing.carried import carried
from archspec.editing.desk import Desk, Version
from archspec.editing.reading import FileReading, read_through
from archspec.record import record

_MOST = 64
T = TypeVar("T")


@record
class ReadThrough:
    """What is kept of every file that was read: the files that it was read through, and whether its text parses."""

    seen: Mapping[Path, Version]
    parses: bool


class Library:
    """Reads and checks the files of a desk; each content once, as long as not too many others are read."""

    def __init__(self, desk: Desk | None = None) -> None:
        self.desk = Desk() if desk is None else desk
        self._readings: dict[Path, FileReading] = {}
        self._analyses: dict[Path, Analysis] = {}
        self._through: dict[Path, ReadThrough] = {}

    def reading(self, path: Path) -> FileReading:
        """The reading of a file as it is now."""
        known = self._readings.get(path)
        if known is None or not self.desk.unchanged(known.seen):
            known = read_through(self.desk, path)
            _keep(self._readings, path, known)
        return known

    def through(self, path: Path) -> ReadThrough:
        """What a file is read through: a folder may hold more files than readings are kept of."""
        known = self._through.get(path)
        if known is None or not self.desk.unchanged(known.seen):
            reading = self.reading(path)
            known = self._through[path] = ReadThrough(seen=reading.seen, parses=reading.own is not None)
        return known

    def analysis(self, path: Path) -> Analysis:
        """The check of a file as it is now."""
        known = self._analyses.get(path)
        if known is None or not self.desk.unchanged(known.seen):
            reading = self.reading(path)
            made = None if known is None else carried(known, reading, self.desk)
            known = analyse(self.desk, path, reading) if made is None else made
            _keep(self._analyses, path, known)
        return known


def _keep(kept: dict[Path, T], path: Path, made: T) -> None:
    kept.pop(path, None)
    if len(kept) >= _MOST:
        kept.pop(next(iter(kept)))
    kept[path] = made
