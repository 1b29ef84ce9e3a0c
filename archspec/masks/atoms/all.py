"""The atom `all`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from archspec.masks.atom import AtomReader, Uncontrolled
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Padding, Pairs, Place, Unsized
from archspec.masks.source import PRIMARY, MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Relation
from archspec.text.mask import MaskCall

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class All(Unsized, Uncontrolled):
    """Every pair."""

    word = "all"
    argument = None
    hint = "full"
    by_query = by_key = compares = absolute = implies_causal = opens_prefix = False
    measures = "positions"
    kernel: ClassVar[Literal["full", "causal"] | None] = "full"

    @classmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> All:
        """It has no argument."""
        return cls()

    def evaluate(self, at: Pairs) -> Array:
        """True."""
        import numpy as np

        # One pair that broadcasts to all.
        return np.ones((1, 1), dtype=bool)

    def emit(self, w: MaskWriter) -> MaskSource:
        """`torch.ones_like(positions, dtype=torch.bool)`."""
        # One axis, the keys: it broadcasts over queries and batch.
        return MaskSource(f"torch.ones_like({w.positions}, dtype=torch.bool)", 1, PRIMARY)

    def relation(self, at: Coordinates) -> Relation:
        """Everything."""
        return EVERYTHING

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool:
        """True."""
        return True

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """Any key there is."""
        return True

    def text(self, names: Sequence[str]) -> str:
        """`all`."""
        return "all"
