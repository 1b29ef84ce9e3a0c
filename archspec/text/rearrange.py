"""The sort of `rearrange` patterns, which split, reorder and merge axes: `b c h w -> b (h w) c`."""

from __future__ import annotations

import re
from dataclasses import field
from typing import NoReturn

from archspec.diagnostics.error import fail
from archspec.diagnostics.model import Label
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.nodes import TextNode

# Compiled where it is used, as most files have no pattern: compiling one takes as long as loading a small module.
_TOKEN = r"\s*(->|\(|\)|[A-Za-z_][A-Za-z0-9_]*|1(?![A-Za-z0-9_]))"
_HELP = "a pattern is like `b c h w -> b (h w) c`"

Side = tuple[tuple[str, ...], ...]
"""The axes of one side; each is the product of its names, outermost first, and one without names has size 1."""


@record
class RearrangePattern:
    """A parsed pattern. Both sides name the same axes, each once, so the pattern has an inverse."""

    left: Side
    right: Side
    span: Span = field(compare=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the axes, in the order of the left side."""
        return tuple(name for axis in self.left for name in axis)

    def __str__(self) -> str:
        return f"{_spelled(self.left)} -> {_spelled(self.right)}"


def parse_rearrange(node: TextNode) -> RearrangePattern:
    """Parse a field's text as a pattern.

    Raises SpecError E120 for a syntax error, for a number of arrows other than one, for an axis that one side repeats
    or that only one side names.
    """
    tokens = _tokens(node)
    arrows = [number for number, (text, _) in enumerate(tokens) if text == "->"]
    if len(arrows) != 1:
        fail("E120", f"expected one `->`, found {len(arrows) or 'none'}", node.span, help=_HELP)
    left, right = _Side(tokens[: arrows[0]]), _Side(tokens[arrows[0] + 1 :])
    for one, other in ((left, right), (right, left)):
        for name, span in one.places.items():
            if name not in other.places:
                fail("E120", f"axis `{name}` appears on one side only", span, help="name each axis once on both sides")
    return RearrangePattern(left=left.axes, right=right.axes, span=node.span)


def _tokens(node: TextNode) -> list[tuple[str, Span]]:
    """The tokens of a pattern with their spans. Raises SpecError E120 for any other character."""
    tokens: list[tuple[str, Span]] = []
    position, token = 0, re.compile(_TOKEN)
    while node.value[position:].strip():
        found = token.match(node.value, position)
        if found is None:
            _unexpected(node, len(node.value) - len(node.value[position:].lstrip()))
        tokens.append((found.group(1), node.part(found.start(1), found.end(1))))
        position = found.end()
    return tokens


def _unexpected(node: TextNode, start: int) -> NoReturn:
    """Raise SpecError E120 at a character that no token starts with."""
    help = "name the axes; only axes of size 1 are written as a number" if node.value[start].isdigit() else _HELP
    fail("E120", f"unexpected `{node.value[start]}` in a pattern", node.part(start, start + 1), help=help)


class _Side:
    """One side of the arrow, read from its tokens; `places` are the spans of the axis names. Raises SpecError E120."""

    def __init__(self, tokens: list[tuple[str, Span]]) -> None:
        self.places: dict[str, Span] = {}
        axes: list[tuple[str, ...]] = []
        opened: Span | None = None
        group: list[str] = []
        for text, span in tokens:
            if text == "(":
                if opened is not None:
                    _nested(span)
                opened, group = span, []
            elif text == ")":
                if opened is None:
                    fail("E120", "unmatched closing bracket", span, help=_HELP)
                axes.append(tuple(group))
                opened = None
            else:
                names = () if text == "1" else (self._name(text, span),)
                if opened is None:
                    axes.append(names)
                else:
                    group.extend(names)
        if opened is not None:
            fail("E120", "unclosed bracket", opened, help=_HELP)
        self.axes: Side = tuple(axes)

    def _name(self, text: str, span: Span) -> str:
        """The name of an axis, which this side must not have had before."""
        if text in self.places:
            first = Label(self.places[text], "first named here")
            fail("E120", f"duplicate axis `{text}` on one side", span, secondary=[first], help=_HELP)
        self.places[text] = span
        return text


def _nested(span: Span) -> NoReturn:
    fail("E120", "brackets inside brackets", span, help="list the axes in one pair of brackets")


def _spelled(side: Side) -> str:
    """One side as text: `b (h w) 1`."""
    return " ".join(axis[0] if len(axis) == 1 else f"({' '.join(axis)})" if axis else "1" for axis in side)
