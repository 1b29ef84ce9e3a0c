"""Types of values: an element type and axes whose sizes are polynomials in the run-time dims."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from itertools import islice

from archspec.algebra.dim import Dim, Symbol, product
from archspec.record import record


class DType(StrEnum):
    """Element types; `float` is the precision that the module runs in.

    The language has all but `int8`, in which steps of decoding keep what is rounded.
    """

    FLOAT = "float"
    INT64 = "int64"
    INT32 = "int32"
    INT8 = "int8"
    BOOL = "bool"

    @property
    def is_integer(self) -> bool:
        """Whether values may index a table."""
        return self in (DType.INT64, DType.INT32)


@record(kw_only=False)
class Axis:
    """One axis; an axis made by flattening keeps its factors, outermost first, so that relations survive it.

    The position along it is the row-major index of the factors: `i0 * f1 * f2 + i1 * f2 + i2`.
    """

    factors: tuple[Dim, ...]

    @cached_property
    def size(self) -> Dim:
        """The number of positions: the product of the factors."""
        return self.factors[0] if len(self.factors) == 1 else product(self.factors)

    def __str__(self) -> str:
        return str(self.size)


def axis(size: Dim | Symbol | int | Axis) -> Axis:
    """An axis of one factor, or the axis itself."""
    return size if isinstance(size, Axis) else Axis((Dim.of(size),))


@record(kw_only=False)
class TensorType:
    """The type of a value: dtype and axes; an integer may have an exclusive upper `bound` on its values."""

    dtype: DType
    axes: tuple[Axis, ...]
    bound: Dim | None = None

    @classmethod
    def of(cls, dtype: DType, *sizes: Dim | Symbol | int | Axis, bound: Dim | None = None) -> TensorType:
        """Build a type from sizes or axes."""
        return cls(dtype, tuple(axis(size) for size in sizes), bound)

    @cached_property
    def shape(self) -> tuple[Dim, ...]:
        """Sizes of the axes, each the product of its factors."""
        return tuple(a.size for a in self.axes)

    @cached_property
    def space(self) -> tuple[Dim, ...]:
        """Sizes of the coordinates: the factors of all axes in order."""
        return tuple(factor for axis in self.axes for factor in axis.factors)

    @cached_property
    def coordinates(self) -> tuple[tuple[int, ...], ...]:
        """The numbers of the coordinates of every axis: `((0,), (1, 2))` for a type of shape `a, b*c`."""
        numbers = iter(range(len(self.space)))
        return tuple(tuple(islice(numbers, len(axis.factors))) for axis in self.axes)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.axes)

    def matches(self, other: TensorType) -> bool:
        """Whether dtype and sizes agree; factors and bounds are ignored."""
        return self.dtype == other.dtype and self.shape == other.shape

    def with_axes(self, *sizes: Dim | Symbol | int | Axis) -> TensorType:
        """The same dtype over other axes."""
        return TensorType.of(self.dtype, *sizes)

    def elements(self) -> Dim:
        """Number of elements."""
        return product(self.shape)

    def __str__(self) -> str:
        bound = f" < {self.bound}" if self.bound is not None else ""
        return f"{self.dtype}[{', '.join(map(str, self.axes))}]{bound}"
