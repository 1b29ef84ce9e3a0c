"""Patterns of tensor names in a map: text, `*` for an index, `(a b c)` for each of several names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
# `str.isdigit` would take digits of other scripts as well.
_DIGITS = frozenset("0123456789")


class Star(Enum):
    """The piece `*`: the index of a layer, an expert or the like."""

    STAR = "*"


Piece = str | Star | tuple[str, ...]
"""Text, an index, or a group of texts."""


@record
class NamePattern:
    """A name with indices and groups in it: `states.layers.*.attention.(q k v).weight`.

    `pieces` has no two texts and no two `*` next to each other; `span` is where the name is written.
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
        return NamePattern(pieces=tuple(_joined(pieces)), span=self.span)

    @cached_property
    def _ends(self) -> tuple[str, str]:
        """The first and the last piece, where they are texts; they are empty where they are not."""
        ends = (self.pieces[0], self.pieces[-1]) if self.pieces else ("", "")
        first, last = (piece if isinstance(piece, str) else "" for piece in ends)
        return first, last

    def match(self, name: str) -> tuple[tuple[int, ...], str] | None:
        """Return the indices and the rest that make this pattern the name, or a module that holds it.

        The rest is the name inside the module, empty if the pattern is the whole name. Returns None if neither matches.
        Groups match any of their texts.
        """
        return _filling(self.pieces, name, 0) if name.startswith(self._ends[0]) else None

    def matches(self, names: Iterable[str]) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return what `match` gives, for those of several names that match."""
        first, last = self._ends
        # A layout asks each of its lines about each of our names, and almost all pairs differ here already.
        close = [name for name in names if name.startswith(first) and last in name]
        found = {name: self.match(name) for name in close}
        return {name: hit for name, hit in found.items() if hit is not None}

    def filled(self, indices: Sequence[int], rest: str = "") -> str:
        """Return the name at these indices with `rest` inside it; the pattern must have no groups left."""
        remaining = iter(indices)
        name = "".join(str(next(remaining)) if piece is Star.STAR else str(piece) for piece in self.pieces)
        return ".".join(part for part in (name, rest) if part)


def _filling(pieces: Sequence[Piece], name: str, start: int) -> tuple[tuple[int, ...], str] | None:
    """Return the indices and the rest that make `pieces` the name from `start` on; None if nothing does."""
    if not pieces:
        rest = name[start:]
        # A module ends where a dot follows, and something must come after the dot.
        return ((), rest[1:]) if not rest or (rest[0] == "." and len(rest) > 1) else None
    for end in _piece_ends(pieces[0], name, start):
        found = _filling(pieces[1:], name, end)
        if found is not None:
            index = (int(name[start:end]),) if pieces[0] is Star.STAR else ()
            return (*index, *found[0]), found[1]
    return None


def _piece_ends(piece: Piece, name: str, start: int) -> Iterator[int]:
    """Yield where a piece that starts at `start` may end: an index the longest first, texts of a group in order."""
    if piece is Star.STAR:
        end = start
        while end < len(name) and name[end] in _DIGITS:
            end += 1
        # As in `_INDEX`, an index that begins with 0 is 0.
        yield from range(min(end, start + 1) if name[start:end].startswith("0") else end, start, -1)
    else:
        texts = piece if isinstance(piece, tuple) else (str(piece),)
        yield from (start + len(text) for text in texts if name.startswith(text, start))


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
