"""A mask that is made elsewhere: a leaf that the language cannot write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Fact, Leaf, Padding, Pairs, Place, Unsized
from archspec.masks.source import PRIMARY, MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Relation

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class Given(Unsized):
    """A mask made elsewhere (by `make_mask`): a bool operand [batch or 1, 1, queries or 1, keys].

    `keep` is the operand [batch or 1, 1, queries or 1, 1] that says which rows have a key, where some may not; the
    mask then lets such rows attend everywhere, and the attention zeroes them.
    """

    hint = "given"
    by_query = by_key = True
    compares = absolute = implies_causal = opens_prefix = False
    measures = "nothing"

    control: int
    keep: int | None = None

    def controls(self) -> tuple[int, ...]:
        """The mask and, where it exists, the operand that says which rows to keep."""
        return (self.control,) if self.keep is None else (self.control, self.keep)

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same leaf over other controls."""
        return Given(numbers[self.control], None if self.keep is None else numbers[self.keep])

    def evaluate(self, at: Pairs) -> Array:
        """The mask, false in the rows that are not kept."""
        # The mask has a head axis of size 1, which the evaluation does not have.
        given = at.controls[self.control][:, 0]
        return given if self.keep is None else given & at.controls[self.keep][:, 0]

    def emit(self, w: MaskWriter) -> MaskSource:
        """The operand."""
        return MaskSource(w.control(self.control).source, 4, PRIMARY)

    def relation(self, at: Coordinates) -> Relation:
        """Everything, because the contents are not known."""
        return EVERYTHING

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool | Fact:
        """The data decides."""
        return ("given", self.control)

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """Some key, where no operand says which rows to keep."""
        return key == "some" and self.keep is None

    def text(self, names: Sequence[str]) -> str:
        """The name of the operand."""
        return names[self.control]
