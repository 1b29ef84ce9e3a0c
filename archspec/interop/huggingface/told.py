"""What a document tells, for the keys of a configuration that are read backwards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from archspec.diagnostics import Source, Span, SpecError
from archspec.interop.huggingface.changes import changed
from archspec.spec import Spec
from archspec.spec.inheritance import canonical
from archspec.text import expr as text
from archspec.text.nodes import ListNode, MapNode, Node, TextNode

UNTOLD: Final[Any] = object()
"""The value of a key that a document does not tell; None is null."""

APART = ("about", "rules", "counts", "reduced", "decode", "weights")
"""Sections of a document that say nothing of what is computed."""


class Told:
    """Reads values out of the document of a spec."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.span: Span = Source("--export", " ").span(0, 1)

    def number(self, path: str) -> int | float | None:
        """The number at a path, over the constants; None where there is none."""
        return self._number(self._at(path))

    def plain(self, path: str) -> Any:
        """The words, numbers and lists at a path as JSON data; None where there are none."""
        return self._data(self._at(path))

    def word(self, path: str) -> str | None:
        """The text at a path as it is written; None where there is none."""
        node = self._at(path)
        return node.value if isinstance(node, TextNode) else None

    def numbers(self, paths: Sequence[str]) -> Any:
        """The numbers at several paths; UNTOLD where one has none."""
        found = [self.number(path) for path in paths]
        return UNTOLD if None in found else found

    def ratio(self, path: str, name: str) -> int | Any:
        """How many times as large as `name`, a constant or a dim, the size at a path is; UNTOLD for no whole number."""
        found = re.fullmatch(rf"(\d+)\*{name}", self.word(path) or "")
        if found is not None:
            return int(found[1])
        size, unit = self.number(path), self.number(f"constants.{name}")
        return UNTOLD if not size or not unit or size % unit else size // unit

    def has(self, path: str) -> bool:
        """Whether anything stands at a path."""
        return self._at(path) is not None

    def axis(self, name: str, at: int) -> int | None:
        """The size of an axis of an input; None where it has no such axis, or one of any size."""
        given = self.spec.inputs.get(name)
        if given is None or at >= len(given.type.shape):
            return None
        size = given.type.shape[at]
        return size.value({}) if size.is_constant else None

    def holds(self, changes: Mapping[str, Any]) -> bool:
        """Whether changes of what is computed, of which there are some, are made already."""
        computed = {path: change for path, change in changes.items() if path.partition(".")[0] not in APART}
        try:
            made = changed(self.spec.tree, computed, self.span)
        except (KeyError, ValueError, IndexError, SpecError):
            # A path that the document does not have.
            return False
        return bool(computed) and canonical(made) == canonical(self.spec.tree)

    def _at(self, path: str) -> Node | None:
        """The node at a path; None where there is none."""
        node: Node | None = self.spec.tree
        for key in path.split("."):
            if isinstance(node, ListNode):
                node = node.items[int(key)] if key.isdecimal() and int(key) < len(node.items) else None
            else:
                node = node.get(key) if isinstance(node, MapNode) else None
        return node

    def _number(self, node: Node | None) -> int | float | None:
        if not isinstance(node, TextNode):
            return None
        try:
            value = text.evaluate(text.parse_expr(node), self.spec.constants).constant()
        except SpecError:
            return None
        return None if value is None else int(value) if value == int(value) else float(value)

    def _data(self, node: Node | None) -> Any:
        """A node as JSON data: numbers, words, lists."""
        if isinstance(node, ListNode):
            return [self._data(item) for item in node.items]
        if not isinstance(node, TextNode):
            return None
        number = self._number(node)
        words = {"true": True, "false": False, "none": None}
        return number if number is not None else words.get(node.value, node.value)
