"""The atom `within`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.masks.atom import AtomReader, Uncontrolled
from archspec.masks.bands import band
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Padding, Pairs, Place, Resizable
from archspec.masks.source import MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Relation
from archspec.text.mask import MaskCall, expr_argument

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class Within(Uncontrolled):
    """`|i - j| <= distance`: `2 * distance + 1` keys."""

    word = "within"
    argument = expr_argument("n")
    hint = "window"
    by_query = by_key = compares = True
    absolute = implies_causal = opens_prefix = False
    measures = "distance"

    distance: Dim

    @classmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> Within:
        """The distance, at least 0."""
        return cls(reader.window(cls.argument.of(written), least=0, spare=1))

    def sizes(self) -> tuple[Dim, ...]:
        """The distance."""
        return (self.distance,)

    def window(self) -> Dim | None:
        """The distance."""
        return self.distance

    def resizable(self) -> Resizable | None:
        """The distance."""
        return Resizable(size=self.distance, drawn=(2, 3, 4), make=Within)

    def evaluate(self, at: Pairs) -> Array:
        """The definition."""
        found: Array = abs(at.i - at.j) <= self.distance.value(at.sizes)
        return found

    def emit(self, w: MaskWriter) -> MaskSource:
        """A bound of the distance."""
        return MaskSource(f"{w.distance}.abs() <= {w.size(self.distance)}", 2)

    def relation(self, at: Coordinates) -> Relation:
        """Exact over single coordinates; over several, everything."""
        # Unlike `last` it allows both directions, so over several coordinates no order of positions bounds it.
        return band(at, -self.distance, self.distance) or EVERYTHING

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool:
        """The definition."""
        return abs(i - j) <= self.distance.value(sizes)

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """A row's own key."""
        return key == "own" and compare(self.distance, ">=", 0) is True

    def text(self, names: Sequence[str]) -> str:
        """`within(4)`."""
        return f"within({self.distance})"
