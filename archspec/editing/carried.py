"""The check of a text that says the same as before: nothing is computed again, and findings move with their text.

Comments, blank lines and spaces between nodes are not part of what a file says. Where anything else differs, or where a
place cannot be followed, there is nothing to carry, and the file is checked.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.editing.analysis import Analysis
from archspec.editing.desk import Desk
from archspec.editing.reading import FileReading
from archspec.text.nodes import ListNode, MapNode, Node, TextNode

_LINE = re.compile(r"\bline \d")


class _LostPlaceError(Exception):
    """A place of the old text that is not at a node."""


def carried(old: Analysis, new: FileReading, desk: Desk) -> Analysis | None:
    """The check of a new reading of the same file; None where it may differ in more than places."""
    before, after = old.reading.own, new.own
    others = {path: version for path, version in old.seen.items() if str(path) != new.source.name}
    if before is None or after is None or not desk.unchanged(others):
        return None
    moves = _Moves(before, after)
    if not moves.same(before, after):
        return None
    try:
        findings = tuple(moves.diagnostic(one) for one in old.findings)
        report = old.report
        if report is not None:
            verdicts = [
                replace(one, diagnostics=tuple(map(moves.diagnostic, one.diagnostics))) for one in report.verdicts
            ]
            report = replace(report, diagnostics=findings, verdicts=tuple(verdicts))
    except _LostPlaceError:
        return None
    origins = {now: old.origins.get(then, then) for now, then in moves.origins.items()}
    return Analysis(reading=new, findings=findings, report=report, seen={**others, **new.seen}, origins=origins)


class _Moves:
    """Where the places of one tree are in another that says the same."""

    def __init__(self, before: Node, after: Node) -> None:
        self._from = before.span.source
        self._to = after.span.source
        self._texts: list[tuple[int, int, int]] = []
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self.origins: dict[int, int] = {}

    def same(self, before: Node, after: Node) -> bool:
        """Whether two nodes say the same, character by character in their texts."""
        if isinstance(before, TextNode):
            return isinstance(after, TextNode) and self._same_text(before, after)
        self._starts.setdefault(before.span.start, after.span.start)
        self._ends[before.span.end] = after.span.end
        if isinstance(before, ListNode):
            return isinstance(after, ListNode) and self._all(
                zip(before.items, after.items, strict=False), before, after
            )
        if not isinstance(after, MapNode):
            return False
        pairs = zip(before.entries, after.entries, strict=False)
        return self._all(((x, y) for a, b in pairs for x, y in ((a.key, b.key), (a.value, b.value))), before, after)

    def _all(self, pairs: Iterable[tuple[Node, Node]], before: Node, after: Node) -> bool:
        size, other = (len(one.items if isinstance(one, ListNode) else one.entries) for one in (before, after))  # type: ignore[union-attr]
        return size == other and before.flow == after.flow and all(self.same(a, b) for a, b in pairs)  # type: ignore[union-attr]

    def _same_text(self, before: TextNode, after: TextNode) -> bool:
        if before.span.text != after.span.text or before.value != after.value or before.quoted != after.quoted:
            return False
        self._texts.append((before.span.start, before.span.end, after.span.start))
        self.origins[after.span.start] = before.span.start
        return True

    def diagnostic(self, one: Diagnostic) -> Diagnostic:
        """A diagnostic with its places in the new text. Raises _LostPlaceError."""
        labels = (label.text for label in (one.primary, *one.secondary) if label is not None)
        if any(_LINE.search(text) for text in (one.message, one.help or "", *one.notes, *labels)):
            # A path through the graph is told with its lines.
            raise _LostPlaceError
        primary = None if one.primary is None else self._label(one.primary)
        return replace(one, primary=primary, secondary=tuple(map(self._label, one.secondary)))

    def _label(self, label: Label) -> Label:
        span = label.span
        if span.source.name != self._from.name:
            return label
        start, end = self._place(span.start, ends=False), self._place(span.end, ends=True)
        if start > end or (span.start == span.end and start != end):
            raise _LostPlaceError
        return Label(Span(self._to, start, end), label.text)

    def _place(self, offset: int, *, ends: bool) -> int:
        """A place in the new text: inside of a text, or where a map or a list starts or ends."""
        texts = self._texts
        # The last text that starts at the place or before it; one that ends a span may also end at its start.
        number = bisect_right(texts, (offset - ends, len(self._from.text), 0)) - 1
        if number >= 0 and offset <= texts[number][1] - (not ends):
            return offset - texts[number][0] + texts[number][2]
        found = (self._ends if ends else self._starts).get(offset)
        if found is None:
            raise _LostPlaceError
        return found
