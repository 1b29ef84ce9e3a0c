"""The atom `last`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.masks.atom import AtomReader, Uncontrolled
from archspec.masks.bands import band, no_later
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Padding, Pairs, Place, Resizable
from archspec.masks.source import AND, MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import ZERO, Relation
from archspec.text.mask import MaskCall, expr_argument

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class Last(Uncontrolled):
    """`i - count < j <= i`: the last `count` keys, the query's own position among them."""

    word = "last"
    argument = expr_argument("n")
    hint = "window"
    by_query = by_key = compares = implies_causal = True
    absolute = opens_prefix = False
    measures = "distance"

    count: Dim

    @classmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> Last:
        """The number of keys, at least 1."""
        return cls(reader.window(cls.argument.of(written), least=1, spare=0))

    def sizes(self) -> tuple[Dim, ...]:
        """The count."""
        return (self.count,)

    def window(self) -> Dim | None:
        """The count."""
        return self.count

    def resizable(self) -> Resizable | None:
        """The count."""
        return Resizable(size=self.count, drawn=(3, 5, 7), make=Last)

    def evaluate(self, at: Pairs) -> Array:
        """The definition."""
        found: Array = (at.j <= at.i) & (at.j > at.i - self.count.value(at.sizes))
        return found

    def emit(self, w: MaskWriter) -> MaskSource:
        """Two bounds of the distance."""
        return MaskSource(f"({w.distance} >= 0) & ({w.distance} < {w.size(self.count)})", 2, AND)

    def relation(self, at: Coordinates) -> Relation:
        """Exact over single coordinates; over several, no later key."""
        # Over several coordinates the window is not one difference; `j <= i` contains it.
        return band(at, ZERO, self.count - 1) or no_later(at)

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool:
        """The definition."""
        return 0 <= i - j < self.count.value(sizes)

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """A row's own key."""
        return key == "own" and compare(self.count, ">=", 1) is True

    def text(self, names: Sequence[str]) -> str:
        """`last(4)`."""
        return f"last({self.count})"
