"""What the YAML layer yields: text, lists and maps, each with its span and nothing more."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property

from archspec.diagnostics.source import Source, Span
from archspec.record import record


@record
class TextNode:
    """A scalar as text; what it means is for the field that holds it."""

    value: str
    span: Span
    quoted: bool = False

    @staticmethod
    def of(text: str, name: str = "--set") -> TextNode:
        """A node for text that stands in no file, such as a command-line option."""
        source = Source(name, text)
        return TextNode(value=text, span=source.span(0, len(text)))

    @cached_property
    def _offset(self) -> int | None:
        written = self.span.text
        if written == self.value:
            return self.span.start
        return self.span.start + 1 if written[1:-1] == self.value else None

    def part(self, start: int, end: int) -> Span:
        """Where characters `start` up to `end` of the value stand in the source.

        Text that YAML folded or unescaped has no such place; the whole node's span stands for it.
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
    """A YAML map, entries in the written order, every key once; `name` is the key that it stands under."""

    entries: tuple[Entry, ...]
    span: Span
    flow: bool = False
    name: Span | None = field(default=None, compare=False)

    @property
    def place(self) -> Span:
        """The few characters that stand for the whole map: its key, else its first one."""
        if self.name is not None:
            return self.name
        return self.entries[0].key.span if self.entries else self.span

    @cached_property
    def _by_key(self) -> dict[str, Entry]:
        return {entry.key.value: entry for entry in self.entries}

    def get(self, key: str) -> Node | None:
        """The value of a key, or None when the map has no such key."""
        entry = self._by_key.get(key)
        return None if entry is None else entry.value

    def key(self, key: str) -> TextNode | None:
        """The key itself as it is written, for its span; None when the map has no such key."""
        entry = self._by_key.get(key)
        return None if entry is None else entry.key

    def keys(self) -> tuple[str, ...]:
        """The keys in the written order."""
        return tuple(entry.key.value for entry in self.entries)


Node = TextNode | ListNode | MapNode
