"""The atom `prefix`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.diagnostics import fail
from archspec.ir.types import DType
from archspec.masks import examples
from archspec.masks.atom import AtomReader, MaskAtom
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import ControlUse, Fact, Leaf, Padding, Pairs, Place, Resizable
from archspec.masks.source import MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Atom, Flat, PrefixBound, Range, Relation
from archspec.relation.forms import Place as FlatPlace
from archspec.relation.forms import form
from archspec.text.expr import Name
from archspec.text.mask import MaskCall, expr_or_path_argument
from archspec.text.path import Path

if TYPE_CHECKING:
    from archspec.masks.leaf import Array


@record(kw_only=False)
class Prefix(MaskAtom):
    """`j < length`: exactly one of a Dim and an integer control operand over leading axes (`p[batch]`)."""

    word = "prefix"
    argument = expr_or_path_argument("p")
    hint = "prefix"
    by_key = absolute = opens_prefix = True
    by_query = compares = implies_causal = False
    measures = "positions"

    length: Dim | None = None
    control: int | None = None

    def __post_init__(self) -> None:
        if (self.length is None) is (self.control is None):
            raise ValueError("a prefix takes a length or a control")

    @classmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> Prefix:
        """A size, or an integer value of the leading axes; a bare name may be either."""
        argument = cls.argument.of(written)
        # A bare name may be a size or a value of the graph: a value has priority.
        name = Path(parts=(argument.name,), span=argument.span) if isinstance(argument, Name) else argument
        value = reader.find(name) if isinstance(name, Path) else None
        if value is None and isinstance(argument, Path):
            value = reader.value(argument)
        if value is not None:
            return cls(control=reader.integers(value, None, written, "a prefix must be an integer"))
        assert not isinstance(argument, Path)
        length = reader.size(argument, 0)
        # Refused only where it is longer at every size: all keys of a short row may be in the prefix.
        if compare(length, ">", reader.keys):
            message = f"a prefix of {length} is longer than the `{reader.keys}` keys"
            fail("E404", message, argument.span, help="choose a prefix that fits the shortest sequence")
        return cls(length=length)

    def uses(self) -> tuple[ControlUse, ...]:
        """The length, where data gives it."""
        if self.control is None:
            return ()
        dtypes = (DType.INT64, DType.INT32)
        return (ControlUse(control=self.control, dtypes=dtypes, at=(), example=examples.prefix),)

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same over another control."""
        return self if self.control is None else Prefix(control=numbers[self.control])

    def sizes(self) -> tuple[Dim, ...]:
        """The length, where it is a size."""
        return () if self.length is None else (self.length,)

    def window(self) -> Dim | None:
        """None: a prefix is counted from the start of a row, not from the query."""
        return None

    def resizable(self) -> Resizable | None:
        """The length, where it is a size."""
        if self.length is None:
            return None
        return Resizable(size=self.length, drawn=(4, 6, 8), make=lambda length: Prefix(length=length))

    def evaluate(self, at: Pairs) -> Array:
        """The definition."""
        if self.control is not None:
            found: Array = at.j < at.controls[self.control][..., None, None]
        else:
            found = at.j < self._size.value(at.sizes)
        return found

    @property
    def _size(self) -> Dim:
        assert self.length is not None
        return self.length

    def emit(self, w: MaskWriter) -> MaskSource:
        """A comparison of the key positions."""
        if self.control is None:
            return MaskSource(f"{w.positions} < {w.size(self._size)}", 1)
        control = w.control(self.control)
        if control.rank == 0:
            return MaskSource(f"{w.positions} < {control.source}", 1)
        return MaskSource(f"{w.positions} < {control.source}[:, None, None, None]", 4, variable="in_prefix")

    def relation(self, at: Coordinates) -> Relation:
        """A bound on the key's position; everything over several places, or where the control has no place."""
        # A bound is on one place: over several it is left out, which widens the relation.
        if len(at.key) != 1 or (self.control, "key") in at.loose:
            return EVERYTHING
        if self.control is None:
            return Relation((_before(at.key[0], self._size),))
        leading = at.leading(self.control, "key")
        bound = PrefixBound(inp=at.key[0], prefix=at.first + self.control, leading=leading)
        return Relation((Atom(prefixes=frozenset({bound})),))

    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool | Fact:
        """The definition; the data decides where it gives the length."""
        # One fact for each control: pairs of positions are examined one at a time.
        return j < self._size.value(sizes) if self.control is None else ("prefix", self.control)

    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """The first key, where the length is a size that is at least 1; data may give 0."""
        return key == "first" and self.length is not None and compare(self.length, ">=", 1) is True

    def text(self, names: Sequence[str]) -> str:
        """`prefix(p)`."""
        return f"prefix({self.length if self.control is None else names[self.control]})"


def _before(key: FlatPlace, size: Dim) -> Atom:
    """The atom of keys before a size."""
    if isinstance(key, int):
        return Atom(ranges=frozenset({Range(side="in", coordinate=key, hi=size - 1)}))
    # The form without coordinates is 0: `0 - j >= 1 - size` is `j < size`.
    return Atom(flats=frozenset({Flat(out=(), inp=form(key), lo=1 - size)}))
