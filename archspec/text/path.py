"""The sort PATH: a node's output, a part inside it, or a parameter."""

from __future__ import annotations

from dataclasses import field

from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.lexer import Token
from archspec.text.nodes import TextNode
from archspec.text.pratt import Cursor


@record
class Path:
    """Names and indices joined by dots: `states.layers.3.cross_attention.weights`."""

    parts: tuple[str, ...]
    span: Span = field(compare=False, repr=False)

    @property
    def power(self) -> int:
        """A path never needs brackets."""
        return 40

    def __str__(self) -> str:
        return ".".join(self.parts)

    def part_span(self, index: int) -> Span:
        """The span of the part at `index`; the span of the whole path where YAML folded the text."""
        if self.span.text != str(self):
            return self.span
        start = self.span.start + sum(len(part) + 1 for part in self.parts[:index])
        return Span(self.span.source, start, start + len(self.parts[index]))


def parse_path(node: TextNode) -> Path:
    """Parse a field's text as a path. Raises SpecError E120, E121 or E126."""
    cursor = Cursor(node)
    path = read_path(cursor)
    if not cursor.done:
        cursor.fail("`.` or the end of the path", help="a path is names and indices joined by dots")
    return path


def read_path(cursor: Cursor) -> Path:
    """Read the path at the cursor. Raises SpecError E120 if the next token is not a name."""
    if cursor.token.kind != "name":
        cursor.fail("a name or a path")
    return path_of(cursor.advance())


def path_of(token: Token) -> Path:
    """The path spelled by a name token: the tokenizer keeps a dotted path in one token."""
    return Path(parts=tuple(token.text.split(".")), span=token.span)
