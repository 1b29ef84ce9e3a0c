"""The atom `same_segment`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.types import DType
from archspec.masks import examples
from archspec.masks.atom import AtomReader, MaskAtom
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import ControlUse, Fact, Leaf, Padding, Pairs, Place, Unsized
from archspec.masks.source import MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Atom, Relation
from archspec.relation.atoms import SegmentEquality as SegmentsEqual
from archspec.text.mask import MaskCall, path_argument

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class SameSegment(Unsized, MaskAtom):
    """`s[..., i] == s[..., j]` for the integer control operand s.

    With `own`, another control holds the integers of the queries: in a step of decoding these are few.
    """

    word = "same_segment"
    argument = path_argument("segments")
    hint = "segment"
    by_query = by_key = compares = True
    absolute = implies_causal = opens_prefix = False
    measures = "nothing"

    control: int
    own: int | None = None

    @classmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> SameSegment:
        """Integers over the positions."""
        value = reader.value(cls.argument.of(written))
        return cls(reader.integers(value, "key", written, "segments must be integers"))

    def uses(self) -> tuple[ControlUse, ...]:
        """The segments, at the query and at the key."""
        dtypes = (DType.INT64, DType.INT32)
        if self.own is None:
            use = ControlUse(control=self.control, dtypes=dtypes, at=("query", "key"), example=examples.segments)
            return (use,)
        query = ControlUse(control=self.own, dtypes=dtypes, at=("query",), example=examples.segments)
        return (query, ControlUse(control=self.control, dtypes=dtypes, at=("key",), example=examples.segments))

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same over another control."""
        return SameSegment(numbers[self.control], None if self.own is None else numbers[self.own])

    def parted(self, own: Mapping[int, int]) -> MaskAtom:
        """The segments of the queries from another control."""
        return SameSegment(self.control, own.get(self.control, self.own))

    def evaluate(self, at: Pairs) -> Array:
        """The definition."""
        segments = at.controls[self.control]
        own = segments if self.own is None else at.controls[self.own]
        found: Array = own[..., :, None] == segments[..., None, :]
        return found

    def emit(self, w: MaskWriter) -> MaskSource:
        """The control over the query axis against the control over the key axis."""
        control = w.control(self.control)
        name = control.source
        own = name if self.own is None else w.control(self.own).source
        if control.rank == 1:
            return MaskSource(f"{own}[:, None] == {name}", 2)
        return MaskSource(f"{own}[:, None, :, None] == {name}[:, None, None, :]", 4, variable="same_segment")

    def relation(self, at: Coordinates) -> Relation:
        """Equality of the segments of both sides; everything where positions are not compared."""
        # An equality needs a place on both sides: without one it is left out, which widens the relation.
        if (
            self.own is not None
            or at.apart
            or not at.loose.isdisjoint({(self.control, "query"), (self.control, "key")})
        ):
            return EVERYTHING
        out, inp = at.indices(self.control, "query"), at.indices(self.control, "key")
        equality = SegmentsEqual(segments=at.first + self.control, out=out, inp=inp)
        return Relation((Atom(segments=frozenset({equality})),))

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool | Fact:
        """True for a position and itself, otherwise decided by the data."""
        # One fact for each control: pairs of positions are examined one at a time.
        return i == j or ("segment", self.control)

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """A row's own key."""
        return key == "own"

    def text(self, names: Sequence[str]) -> str:
        """`same_segment(segments)`."""
        return f"same_segment({names[self.control]})"
