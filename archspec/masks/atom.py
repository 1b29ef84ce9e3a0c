"""An atom of the language of masks: a leaf with a word, an argument and a way to read it. One file each in `atoms/`."""

from __future__ import annotations

from abc import abstractmethod
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
    """What an atom may ask of the spec while its argument is read. All raise SpecError at what does not fit."""

    @property
    def keys(self) -> Dim:
        """The number of keys."""
        ...

    def size(self, expr: Expr, least: int) -> Dim:
        """A size, at least so large."""
        ...

    def window(self, expr: Expr, *, least: int, spare: int) -> Dim:
        """A size of a window, which is warned of where it masks nothing; `spare` is how much shorter it may then be."""
        ...

    def find(self, path: Path) -> Value | None:
        """The value of a name; None where it names none."""
        ...

    def value(self, path: Path) -> Value:
        """The value of a path."""
        ...

    def predicate(self, pred: PredExpr, side: MaskSide, written: MaskCall) -> int:
        """The control number of a predicate over the positions of a side, E402 where it is not."""
        ...

    def integers(self, value: Value, side: MaskSide | None, written: MaskCall, what: str) -> int:
        """The control number of integers over the positions of a side, or of the leading axes alone.

        Raises E401 where the value holds no integers (`what` says what they would be), E402 where axes do not fit.
        """
        ...


class MaskAtom(Leaf, partial=True):
    """A leaf that the language writes: `word`, or `word(argument)`."""

    word: ClassVar[str]
    argument: ClassVar[Argument[Any] | None]

    @classmethod
    @abstractmethod
    def read(cls, written: MaskCall, reader: AtomReader) -> MaskAtom:
        """The atom that a text writes. Raises SpecError where its argument does not fit."""

    @abstractmethod
    def uses(self) -> tuple[ControlUse, ...]:
        """The control operands that it reads, and how."""

    def controls(self) -> tuple[int, ...]:
        """Their numbers."""
        return tuple(use.control for use in self.uses())
