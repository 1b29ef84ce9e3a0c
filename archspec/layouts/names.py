"""Patterns of tensor names in a map: text, `*` for an index, `(a b c)` for each of several names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cached_property
from itertools import groupby, pairwise
from typing import NoReturn

from archspec.diagnostics import Span, fail
from archspec.record import record
from archspec.text.nodes import TextNode

_PIECE = re.compile(r"\*|\(([^()*]*)\)|[^\s()*]+")
# No leading zeros: index 1 would not produce `layers.01` again.
_INDEX = "(0|[1-9][0-9]*)"


class Star(Enum):
    """The piece `*`: the index of a layer, an expert or the like."""

    STAR = "*"


Piece = str | Star | tuple[str, ...]
"""Text, an index, or a group of texts."""


@record
class NamePattern:
    """A name with indices and groups in it: `states.layers.*.attention.(q k v).weight`.

    `pieces` has no two texts and no two `*` beside each other; `span` is where the name is written.
    """

    pieces: tuple[Piece, ...]
    span: Span

    @property
    def stars(self) -> int:
        """The number of `*`."""
        return self.pieces.count(Star.STAR)

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The groups, in order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, tuple))

    def __str__(self) -> str:
        return "".join(_spelled(piece) for piece in self.pieces)

    def inside(self, outer: NamePattern | None) -> NamePattern:
        """Return the name with the module `outer` in front."""
        if outer is None or not outer.pieces:
            return self
        return NamePattern(pieces=(*outer.pieces, *((".", *self.pieces) if self.pieces else ())), span=self.span)

    def chosen(self, choices: Mapping[int, int]) -> NamePattern:
        """Replace groups with one of their texts; `choices` maps a group's number to the number of the text.

        Every group must have a choice.
        """
        number = iter(range(len(self.pieces)))
        pieces = tuple(piece[choices[next(number)]] if isinstance(piece, tuple) else piece for piece in self.pieces)
        return NamePattern(pieces=pieces, span=self.span)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(f"{regex_of(self.pieces)}(?:\\.(.+))?")

    def match(self, name: str) -> tuple[tuple[int, ...], str] | None:
        """Return the indices and the rest that make this pattern the name, or a module that holds it.

        The rest is the name inside the module, empty if the pattern is the whole name. Returns None if neither matches.
        Groups match any of their texts.
        """
        first = self.pieces[0] if self.pieces else ""
        if isinstance(first, str):
            # Most names differ in their first words: the regular expression is compiled only where these agree.
            if not name.startswith(first):
                return None
            if len(self.pieces) == 1:
                rest = name[len(first) :]
                return ((), rest[1:]) if not rest or (rest[0] == "." and len(rest) > 1) else None
        found = self._regex.fullmatch(name)
        if found is None:
            return None
        *indices, inner = found.groups()
        return tuple(map(int, indices)), inner or ""

    def filled(self, indices: Sequence[int], rest: str = "") -> str:
        """Return the name at these indices with `rest` inside it; the pattern must have no groups left."""
        remaining = iter(indices)
        name = "".join(str(next(remaining)) if piece is Star.STAR else str(piece) for piece in self.pieces)
        return ".".join(part for part in (name, rest) if part)


def regex_of(pieces: Sequence[Piece]) -> str:
    """Return a regular expression for the names of a pattern, with one capturing group for each index."""
    return "".join(
        _INDEX
        if piece is Star.STAR
        else f"(?:{'|'.join(map(re.escape, piece))})"
        if isinstance(piece, tuple)
        else re.escape(str(piece))
        for piece in pieces
    )


def parse_name(node: TextNode) -> NamePattern:
    """Parse a name; an empty text stands for the whole module. Raises SpecError E510."""
    pieces: list[Piece] = []
    position = 0
    while position < len(node.value):
        found = _PIECE.match(node.value, position)
        if found is None:
            _refuse(node, position)
        pieces.append(_piece(node, found))
        position = found.end()
    if any(left == right == Star.STAR for left, right in pairwise(pieces)):
        fail("E510", "two adjacent indices", node.span, help="one `*` stands for one index")
    return NamePattern(pieces=tuple(_joined(pieces)), span=node.span)


def _piece(node: TextNode, found: re.Match[str]) -> Piece:
    """Turn one match into a piece. Raises SpecError E510 for a group that is empty or uses commas."""
    if found.group() == "*":
        return Star.STAR
    if found.group(1) is None:
        return found.group()
    options = tuple(found.group(1).split())
    if not options or any("," in option for option in options):
        help = "a group is a list of names separated by spaces, such as `(q k v)`"
        fail("E510", f"`{found.group()}` is not a group", node.part(found.start(), found.end()), help=help)
    return options


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Merge adjacent texts."""
    result: list[Piece] = []
    for is_text, run in groupby(pieces, key=lambda piece: isinstance(piece, str)):
        same = list(run)
        result.extend(["".join(map(str, same))] if is_text else same)
    return result


def _refuse(node: TextNode, position: int) -> NoReturn:
    wrong = node.value[position]
    what = "a space" if wrong.isspace() else f"`{wrong}`"
    help = "names contain no spaces; a group is written `(q k v)`, without brackets or `*` inside"
    fail("E510", f"unexpected {what} in a name", node.part(position, position + 1), help=help)


def _spelled(piece: Piece) -> str:
    return f"({' '.join(piece)})" if isinstance(piece, tuple) else "*" if piece is Star.STAR else str(piece)
