"""An atom of the mask language: a leaf with a word, an argument and a way to read it. One file each in `atoms/`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from archspec.algebra.dim import Dim
from archspec.ir.graph import Value
from archspec.masks.coordinates import MaskSide
from archspec.masks.leaf import ControlUse, Leaf
from archspec.text.expr import Expr
from archspec.text.mask import Argument, MaskCall
from archspec.text.path import Path
from archspec.text.pred import PredExpr


class AtomReader(Protocol):
    """What an atom may request of the spec while its argument is read.

    All methods raise SpecError for a wrong argument.
    """

    @property
    def keys(self) -> Dim:
        """The number of keys."""
        ...

    def size(self, expr: Expr, least: int) -> Dim:
        """The size that an expression gives, which must be at least `least`."""
        ...

    def window(self, expr: Expr, *, least: int, spare: int) -> Dim:
        """The size of a window, which is warned about where it masks nothing.

        `least` is the least size that is accepted; `spare` is how much shorter than the axis a window that masks
        nothing may be.
        """
        ...

    def find(self, path: Path) -> Value | None:
        """The value with a name, or None."""
        ...

    def value(self, path: Path) -> Value:
        """The value at a path."""
        ...

    def predicate(self, pred: PredExpr, side: MaskSide, written: MaskCall) -> int:
        """The control number of a predicate over the positions of a side. Raises E402 for another one."""
        ...

    def integers(self, value: Value, side: MaskSide | None, written: MaskCall, what: str) -> int:
        """The control number of integers over the positions of a side, or over the leading axes only.

        Raises E401 where the value does not contain integers (`what` says what they would be), E402 for other axes.
        """
        ...


class MaskAtom(Leaf, partial=True):
    """A leaf that the language can write: `word`, or `word(argument)`."""

    word: ClassVar[str]
    argument: ClassVar[Argument[Any] | None]

    @classmethod
    @abstractmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> MaskAtom:
        """The atom that a text denotes. Raises SpecError where its argument does not fit."""

    @abstractmethod
    def uses(self) -> tuple[ControlUse, ...]:
        """The control operands that it reads, and how it reads them."""

    def parted(self, own: Mapping[int, int]) -> MaskAtom:
        """The same atom with control `own[n]` in place of n where it is read at the query.

        An atom that reads one control at both sides says how it reads two.
        """
        sides = {side for use in self.uses() for side in use.at}
        if sides == {"query", "key"}:
            raise TypeError(f"{type(self).__name__} does not say how it reads one control for each side")
        found = self.renumbered({use.control: own.get(use.control, use.control) for use in self.uses()})
        return found if isinstance(found, MaskAtom) and "query" in sides else self

    def controls(self) -> tuple[int, ...]:
        """The numbers of its controls."""
        return tuple(use.control for use in self.uses())


class Uncontrolled(MaskAtom, partial=True):
    """An atom that depends on positions alone: it reads no data."""

    def uses(self) -> tuple[ControlUse, ...]:
        """It reads nothing."""
        return ()

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """It reads nothing."""
        return self
