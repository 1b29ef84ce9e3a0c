"""The nodes that the YAML layer yields: texts, lists and maps with their spans."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property

from archspec.diagnostics.source import Source, Span
from archspec.record import record


@record
class TextNode:
    """A scalar as text. The field that holds it determines how it is read, not YAML's own types."""

    value: str
    span: Span
    quoted: bool = False

    @staticmethod
    def of(text: str, name: str = "--set") -> TextNode:
        """A node for text that is not in a file, such as a command-line option; `name` is shown in diagnostics."""
        source = Source(name, text)
        return TextNode(value=text, span=source.span(0, len(text)))

    @cached_property
    def _offset(self) -> int | None:
        """Where the value starts in the source; None if YAML folded or unescaped the text, so that offsets differ."""
        written = self.span.text
        if written == self.value:
            return self.span.start
        # In quotes, and without escapes, the value begins one character later.
        return self.span.start + 1 if written[1:-1] == self.value else None

    def part(self, start: int, end: int) -> Span:
        """The span of characters `start` up to `end` of the value in the source.

        For text that YAML folded or unescaped it is the span of the whole node.
        """
        if self._offset is None:
            return self.span
        return Span(self.span.source, self._offset + start, self._offset + end)


@record
class ListNode:
    """A YAML list."""

    items: tuple[Node, ...]
    span: Span
    flow: bool = False


@record
class Entry:
    """One key of a map with its value."""

    key: TextNode
    value: Node


@record
class MapNode:
    """A YAML map: entries in the written order, keys unique. `name` is the span of the key that holds the map."""

    entries: tuple[Entry, ...]
    span: Span
    flow: bool = False
    # Not compared: maps are equal whatever key holds them.
    name: Span | None = field(default=None, compare=False)

    @property
    def place(self) -> Span:
        """The span for messages about the whole map: the key that holds it, else its first own key."""
        if self.name is not None:
            return self.name
        return self.entries[0].key.span if self.entries else self.span

    @cached_property
    def _by_key(self) -> dict[str, Entry]:
        """The entries by key; computed once, because models look up each of their fields."""
        return {entry.key.value: entry for entry in self.entries}

    def get(self, key: str) -> Node | None:
        """The value of a key; None if the map does not have the key."""
        entry = self._by_key.get(key)
        return None if entry is None else entry.value

    def key(self, key: str) -> TextNode | None:
        """The node of a key, which has its span; None if the map does not have the key."""
        entry = self._by_key.get(key)
        return None if entry is None else entry.key

    def keys(self) -> tuple[str, ...]:
        """The keys in the written order."""
        return tuple(entry.key.value for entry in self.entries)


Node = TextNode | ListNode | MapNode
