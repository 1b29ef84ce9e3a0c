"""The interface of every leaf of a mask: its meaning, relation, source and picture, in one class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from archspec.algebra.dim import Dim
from archspec.ir.types import DType
from archspec.masks.coordinates import Coordinates, MaskSide
from archspec.masks.mask import Mask
from archspec.masks.source import MaskSource, MaskWriter
from archspec.record import record
from archspec.relation.atoms import Relation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Padding = Literal["right", "left"]
Place = Literal["own", "first", "last", "some"]
"""A key of one row: at its own position, the first, the last, or at an unknown position."""
Fact = Hashable
"""Names a proposition about data that may be true or false at a pair, such as (`valid`, control, position)."""


@record
class ControlUse:
    """How a leaf reads a control: its element types, and the sides at whose position it is read.

    The control's axes are the batch (optional) and then the positions of the first side, if any. `example` gives values
    that make the leaf visible in a picture, from (count, the longest axis, padding `any`, `right` or `left`).
    """

    control: int
    dtypes: tuple[DType, ...]
    at: tuple[MaskSide, ...]
    example: Callable[[int, int, str], list[int]] = field(compare=False, repr=False)


@record
class Resizable:
    """A size of a leaf that may be replaced:

    `drawn` are the sizes for pictures, `make` gives the leaf with another size.
    """

    size: Dim
    drawn: tuple[int, ...]
    make: Callable[[Dim], Leaf]


@record
class Pairs:
    """Where a mask is evaluated: queries i [queries, 1], keys j [keys], values of the controls, run-time sizes."""

    i: Array
    j: Array
    controls: Sequence[Array]
    sizes: Mapping[str, int]


class Leaf(Mask, ABC):
    """A mask without parts. Omitting a declaration is an error when the class is made or used: nothing has a default.

    `hint` is its word in names of the emitted code. `by_query` and `by_key` say along which axes it varies; `compares`
    that it compares query and key positions, whose axes must then have equal length; `measures` what its source is
    written over; `absolute` that it depends on where in a row a key is; `implies_causal` that no query sees a later
    key; `opens_prefix` that a decoder may see ahead inside what it names.
    """

    hint: ClassVar[str]
    by_query: ClassVar[bool]
    by_key: ClassVar[bool]
    compares: ClassVar[bool]
    measures: ClassVar[Literal["nothing", "positions", "distance"]]
    absolute: ClassVar[bool]
    implies_causal: ClassVar[bool]
    opens_prefix: ClassVar[bool]

    def __init_subclass__(cls, *, partial: bool = False, **options: Any) -> None:
        """Raise TypeError for a class that omits a declaration of its bases, unless it is `partial` itself."""
        super().__init_subclass__(**options)
        bases = [base for base in cls.__mro__ if issubclass(base, Leaf)]
        notes = [note for base in bases for note in vars(base).get("__annotations__", {}).items()]
        # A declaration that is only annotated has no value: it must be given where the class is made, not when it is
        # used.
        missing = [
            name
            for name, kind in notes
            if str(kind).removeprefix("typing.").startswith("ClassVar") and not hasattr(cls, name)
        ]
        if missing and not partial:
            raise TypeError(f"{cls.__name__} does not declare {', '.join(missing)}")

    @abstractmethod
    def controls(self) -> tuple[int, ...]:
        """Numbers of the control operands that it reads."""

    @abstractmethod
    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same leaf over control `numbers[n]` in place of n. Raises KeyError for a control without an entry."""

    @abstractmethod
    def sizes(self) -> tuple[Dim, ...]:
        """The sizes that it compares positions or distances with."""

    @abstractmethod
    def window(self) -> Dim | None:
        """The size that bounds how far its keys are from the query; None where nothing does."""

    @abstractmethod
    def resizable(self) -> Resizable | None:
        """Its size, if it has one that may be replaced."""

    @abstractmethod
    def evaluate(self, at: Pairs) -> Array:
        """The leaf as bool, broadcast to [..., queries, keys]."""

    @abstractmethod
    def emit(self, w: MaskWriter) -> MaskSource:
        """Its source: bool, broadcast to [batch, 1, queries, keys]."""

    @abstractmethod
    def relation(self, at: Coordinates) -> Relation:
        """The pairs (query, key) that it allows, or more where coordinates cannot express them exactly."""

    @abstractmethod
    def holds(self, i: int, j: int, sizes: Mapping[str, int]) -> bool | Fact:
        """Whether it allows a pair, or the fact about data that decides."""

    @abstractmethod
    def surely_allows(self, key: Place, promises: Sequence[Padding | None]) -> bool:
        """Whether every query is proved to see that key; `promises[n]` is the padding that control n promises."""

    @abstractmethod
    def text(self, names: Sequence[str]) -> str:
        """The leaf in the language, with control n under the name `names[n]`."""


class Unsized(Leaf, partial=True):
    """A leaf that compares positions with no size, or does not know the sizes that its mask was made with."""

    def sizes(self) -> tuple[Dim, ...]:
        """None."""
        return ()

    def window(self) -> Dim | None:
        """None."""
        return None

    def resizable(self) -> Resizable | None:
        """None."""
        return None
