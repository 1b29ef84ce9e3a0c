"""What is known of a document at one moment: of its text as it is, and of the last text that could be read."""

from __future__ import annotations

from functools import cached_property

from archspec.checking import Report
from archspec.diagnostics import Diagnostic, Span
from archspec.editing.analysis import Analysis
from archspec.editing.measured import NodeFacts
from archspec.editing.names import NameIndex, Occurrence
from archspec.editing.places import Extent, Lines, Position
from archspec.editing.reading import FileReading
from archspec.editing.shift import TextShift
from archspec.editing.slots import TreeSlot
from archspec.record import record


@record(eq=False)
class State:
    """The reading of the text as it is, the last one that parsed, and the last check that gave a report.

    The last two are of the text as it is where that is good enough. `lines` are its lines, and `findings` what a check
    says of it; they are empty where nobody asked for a check.
    """

    lines: Lines
    now: FileReading
    read: FileReading | None
    checked: Analysis | None
    findings: tuple[Diagnostic, ...] = ()

    @property
    def file(self) -> str:
        """The name of the file, as spans give it."""
        return self.lines.source.name

    @property
    def names(self) -> NameIndex | None:
        """The names of the last text that parsed; None before there is one."""
        return None if self.read is None else self.read.names

    @property
    def report(self) -> Report | None:
        """The last report; None before there is one."""
        return None if self.checked is None else self.checked.report

    @property
    def measured(self) -> NodeFacts | None:
        """What the last report says of nodes; None before there is one."""
        return None if self.checked is None else self.checked.measured

    @property
    def is_old(self) -> bool:
        """Whether the report is that of an older text."""
        return self.checked is None or self.checked.reading is not self.now

    @cached_property
    def shift(self) -> TextShift:
        """From the last text that parsed to the text as it is."""
        return TextShift("" if self.read is None else self.read.source.text, self.lines.source.text)

    def extent(self, span: Span) -> Extent | None:
        """Where a span of the last text that parsed is now; None where its text has changed, or is another file's."""
        if span.source.name != self.file:
            return None
        start, end = self.shift.new(span.start, starts=True), self.shift.new(span.end)
        if start is None or end is None or end < start:
            return None
        return Extent(self.lines.place(start), self.lines.place(end))

    def at(self, place: Position) -> int | None:
        """The offset of a place in the last text that parsed; None where that text has changed."""
        return None if self.read is None else self.shift.old(self.lines.offset(place))

    def occurrence(self, place: Position) -> Occurrence | None:
        """The name at a place; None if there is none."""
        offset = self.at(place)
        return None if offset is None or self.names is None else self.names.at(self.file, offset)

    def slot(self, place: Position) -> TreeSlot | None:
        """The innermost slot whose key or text is at a place; None if there is none."""
        offset = self.at(place)
        if offset is None or self.read is None:
            return None
        found = None
        for slot in self.read.slots:
            spans = [slot.node.span] + ([slot.key.span] if slot.key is not None else [])
            if any(one.start <= offset <= one.end for one in spans):
                found = slot
        return found
