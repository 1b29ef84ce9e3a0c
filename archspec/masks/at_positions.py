"""A mask over positions that are given: a leaf that the language cannot write, for steps of decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.masks.atom import MaskAtom
from archspec.masks.coordinates import Coordinates, MaskSide
from archspec.masks.leaf import Fact, Leaf, Padding, Pairs, Place, Resizable
from archspec.masks.mask import Mask
from archspec.masks.source import AND, OR, Control, MaskSource, MaskWriter, joined
from archspec.masks.walk import controls, fold, leaves, renumbered, replaced
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Relation

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class AtPositions(Leaf):
    """`mask` for queries and keys whose positions two controls give, [batch, queries] and [batch, keys] or [keys].

    There is nothing at a key with a negative position, and no query sees it.
    """

    hint = "placed"
    by_query = by_key = absolute = True
    compares = implies_causal = opens_prefix = False
    measures = "nothing"

    mask: Mask
    queries: int
    keys: int

    def controls(self) -> tuple[int, ...]:
        """The positions, and what the mask reads."""
        return (self.queries, self.keys, *controls(self.mask))

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same leaf over other controls."""
        return AtPositions(renumbered(self.mask, numbers), numbers[self.queries], numbers[self.keys])

    def sizes(self) -> tuple[Dim, ...]:
        """The sizes of the mask."""
        return tuple(size for leaf in leaves(self.mask) for size in leaf.sizes())

    def window(self) -> Dim | None:
        """None: a window of positions is none of entries."""
        return None

    def resizable(self) -> Resizable | None:
        """None."""
        return None

    def evaluate(self, at: Pairs) -> Array:
        """The mask at the positions."""
        i, j = at.controls[self.queries][..., :, None], at.controls[self.keys][..., None, :]
        placed = Pairs(i=i, j=j, controls=at.controls, sizes=at.sizes)
        inner = fold(
            self.mask,
            lambda leaf: leaf.evaluate(placed),
            lambda terms: reduce(lambda a, b: a & b, terms),
            lambda terms: reduce(lambda a, b: a | b, terms),
        )
        found: Array = inner & (j >= 0)
        return found

    def emit(self, w: MaskWriter) -> MaskSource:
        """The mask over distances of the positions."""
        queries, keys = w.control(self.queries), w.control(self.keys)
        inner = _Placing(w, queries, keys)
        text = fold(
            self.mask,
            lambda leaf: leaf.emit(inner),
            partial(joined, " & ", AND),
            partial(joined, " | ", OR),
        )
        return MaskSource(f"{text.beside(AND)} & ({inner.positions} >= 0)", 4, AND)

    def relation(self, at: Coordinates) -> Relation:
        """Everything, because positions are data."""
        return EVERYTHING

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool | Fact:
        """The positions decide."""
        return ("placed", self.queries, self.keys)

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """A query's own key, where the mask does: it is among the new ones."""
        return key == "own" and fold(self.mask, lambda leaf: leaf.surely_allows(key, promises), all, any)

    def text(self, names: Sequence[str]) -> str:
        """The mask and the names of the positions."""
        return f"placed({names[self.queries]}, {names[self.keys]})"


def takes_positions(mask: Mask) -> bool:
    """Whether a mask is computed from positions, and not from controls alone."""
    return any(leaf.compares or leaf.absolute for leaf in leaves(mask))


def read_twice(mask: Mask) -> tuple[int, ...]:
    """The controls that a mask reads at the query and at the key."""
    sides: dict[int, set[MaskSide]] = {}
    for leaf in leaves(mask):
        for use in leaf.uses() if isinstance(leaf, MaskAtom) else ():
            sides.setdefault(use.control, set()).update(use.at)
    return tuple(control for control, found in sides.items() if len(found) == 2)


def parted(mask: Mask, own: Mapping[int, int]) -> Mask:
    """The mask with control `own[n]` in place of n where it is read at the query."""
    return replaced(mask, lambda leaf: leaf.parted(own) if isinstance(leaf, MaskAtom) else leaf)


class _Placing:
    """Writes a mask over positions in variables: [batch, 1, 1, keys] or [keys], and [batch, 1, queries, keys]."""

    def __init__(self, writer: MaskWriter, queries: Control, keys: Control) -> None:
        self._writer = writer
        self.positions = f"{keys.source}[:, None, None]" if keys.rank == 2 else keys.source
        self.distance = f"({queries.source}[:, None, :, None] - {self.positions})"

    def size(self, dim: Dim) -> str:
        """Source of a size."""
        return self._writer.size(dim)

    def control(self, number: int) -> Control:
        """Source of a control operand."""
        return self._writer.control(number)
