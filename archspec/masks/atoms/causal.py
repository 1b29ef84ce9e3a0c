"""The atom `causal`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from archspec.masks.atom import AtomReader, Uncontrolled
from archspec.masks.bands import no_later
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Padding, Pairs, Place, Unsized
from archspec.masks.source import MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import Relation
from archspec.text.mask import MaskCall

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class Causal(Unsized, Uncontrolled):
    """`j <= i`."""

    word = "causal"
    argument = None
    hint = "causal"
    by_query = by_key = compares = implies_causal = True
    absolute = opens_prefix = False
    measures = "positions"
    kernel: ClassVar[Literal["full", "causal"] | None] = "causal"

    @classmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> Causal:
        """It has no argument."""
        return cls()

    def evaluate(self, at: Pairs) -> Array:
        """The definition."""
        found: Array = at.j <= at.i
        return found

    def emit(self, w: MaskWriter) -> MaskSource:
        """A comparison of positions, or of the distance where one is made."""
        # The distance is only there where another leaf of the mask measures it.
        return MaskSource(f"{w.distance} >= 0" if w.distance else f"{w.positions} <= {w.positions}[:, None]", 2)

    def relation(self, at: Coordinates) -> Relation:
        """In row-major order where an axis has factors."""
        return no_later(at)

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool:
        """The definition."""
        return j <= i

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """A row's own key and the first key: `0 <= i` and `i <= i`."""
        return key in ("own", "first")

    def text(self, names: Sequence[str]) -> str:
        """`causal`."""
        return "causal"
