"""The atom `key_valid`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.types import DType
from archspec.masks import examples
from archspec.masks.atom import AtomReader, MaskAtom
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import ControlUse, Fact, Leaf, Padding, Pairs, Place, Unsized
from archspec.masks.source import PRIMARY, MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Atom, Guard, Relation
from archspec.text.mask import MaskCall, pred_argument

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class KeyValid(Unsized, MaskAtom):
    """`p[..., j]` for the bool control operand p, whose last axis is the keys' and whose leading axes broadcast."""

    word = "key_valid"
    argument = pred_argument("valid")
    hint = "valid"
    by_key = True
    by_query = compares = absolute = implies_causal = opens_prefix = False
    measures = "nothing"

    control: int

    @classmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> KeyValid:
        """A predicate over the keys' positions."""
        return cls(reader.predicate(cls.argument.of(written), "key", written))

    def uses(self) -> tuple[ControlUse, ...]:
        """The predicate, at the key."""
        return (ControlUse(control=self.control, dtypes=(DType.BOOL,), at=("key",), example=examples.valid),)

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same over another control."""
        return KeyValid(numbers[self.control])

    def evaluate(self, at: Pairs) -> Array:
        """The definition."""
        found: Array = at.controls[self.control][..., None, :].astype(bool)
        return found

    def emit(self, w: MaskWriter) -> MaskSource:
        """The control over the key axis."""
        control = w.control(self.control)
        # A control without a batch axis has the key axis alone.
        if control.rank == 1:
            return MaskSource(control.source, 1, PRIMARY)
        return MaskSource(f"{control.source}[:, None, None, :]", 4, PRIMARY)

    def relation(self, at: Coordinates) -> Relation:
        """A guard on the input; everything where the control has no place among the keys."""
        if (self.control, "key") in at.loose:
            return EVERYTHING
        places = at.indices(self.control, "key")
        guard = Guard(side="in", predicate=at.first + self.control, coordinates=places)
        return Relation((Atom(guards=frozenset({guard})),))

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool | Fact:
        """Whether the control is true at the key."""
        return ("valid", self.control, j)

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """The first key for a promise of padding at the right, the last one for padding at the left."""
        # A promise includes that some position is true, so the end from which a row is filled is.
        promise = promises[self.control] if self.control < len(promises) else None
        return (key, promise) in (("first", "right"), ("last", "left"))

    def text(self, names: Sequence[str]) -> str:
        """`key_valid(valid)`."""
        return f"key_valid({names[self.control]})"
