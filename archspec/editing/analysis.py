"""One reading of a file, and what a check says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path

from archspec.checking import Report, check
from archspec.diagnostics import Diagnostic, SpecError
from archspec.editing.desk import Desk, Version
from archspec.editing.measured import NodeFacts
from archspec.editing.reading import FileReading
from archspec.record import record


@record(eq=False)
class Analysis:
    """What a check says of a file; `report` is None for a spec that does not load. `seen` are the files it read.

    Where the check is of an older text that said the same, `origins` gives the offsets of texts in that one.
    """

    reading: FileReading
    findings: tuple[Diagnostic, ...]
    report: Report | None
    seen: Mapping[Path, Version]
    origins: Mapping[int, int] = field(default_factory=dict)

    @cached_property
    def measured(self) -> NodeFacts | None:
        """What the report says of nodes; None without one."""
        return (
            None
            if self.report is None
            else NodeFacts(report=self.report, file=self.reading.source.name, origins=self.origins)
        )


def analyse(desk: Desk, path: Path, reading: FileReading) -> Analysis:
    """Check a file that was read, with the open texts of a desk in place of files on disk."""
    report: Report | None = None
    with desk.reading() as seen:
        try:
            report = check(path)
            findings = report.diagnostics
        except SpecError as error:
            findings = error.diagnostics
    # A file that changed in between makes the reading an old one: by its version the next question notices.
    return Analysis(reading=reading, findings=findings, report=report, seen={**seen, **reading.seen})
