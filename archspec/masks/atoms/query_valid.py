"""The atom `query_valid`."""

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
class QueryValid(Unsized, MaskAtom):
    """`p[..., i]` for the bool control operand p: rows that see all, such as global tokens.

    Source: the global attention of Longformer, Beltagy et al. 2020, arXiv 2004.05150.
    """

    word = "query_valid"
    argument = pred_argument("is_global")
    hint = "global"
    by_query = True
    by_key = compares = absolute = implies_causal = opens_prefix = False
    measures = "nothing"

    control: int

    @classmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> QueryValid:
        """A predicate over the queries' positions."""
        return cls(reader.predicate(cls.argument.of(written), "query", written))

    def uses(self) -> tuple[ControlUse, ...]:
        """The predicate, at the query."""
        return (ControlUse(control=self.control, dtypes=(DType.BOOL,), at=("query",), example=examples.chosen),)

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same over another control."""
        return QueryValid(numbers[self.control])

    def evaluate(self, at: Pairs) -> Array:
        """The definition."""
        found: Array = at.controls[self.control][..., :, None].astype(bool)
        return found

    def emit(self, w: MaskWriter) -> MaskSource:
        """The control over the query axis."""
        control = w.control(self.control)
        # A control without a batch axis has the query axis alone.
        if control.rank == 1:
            return MaskSource(f"{control.source}[:, None]", 2, PRIMARY)
        return MaskSource(f"{control.source}[:, None, :, None]", 4, PRIMARY)

    def relation(self, at: Coordinates) -> Relation:
        """A guard on the output; everything where the control has no place among the queries."""
        if (self.control, "query") in at.loose:
            return EVERYTHING
        places = at.indices(self.control, "query")
        guard = Guard(side="out", predicate=at.first + self.control, coordinates=places)
        return Relation((Atom(guards=frozenset({guard})),))

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool | Fact:
        """Whether the control is true at the query."""
        return ("valid", self.control, i)

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """No key: a row where the control is false has none."""
        return False

    def text(self, names: Sequence[str]) -> str:
        """`query_valid(is_global)`."""
        return f"query_valid({names[self.control]})"
