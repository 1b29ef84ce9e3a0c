"""A large matrix of which only some rows are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record(eq=False)
class RepeatedRows:
    """A matrix whose rows are those of a block over and over.

    It gives what the written matrix would where rows are looked up and where its transpose is a factor, which is what
    tables and linear maps are for. Anything else takes it for the written matrix.

    Args:
        block: the rows that are written, [some, columns].
        count: the number of all rows.
    """

    block: Array
    count: int

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the written matrix."""
        return self.count, self.block.shape[1]

    @property
    def T(self) -> RepeatedColumns:  # noqa: N802
        """The transpose."""
        return RepeatedColumns(rows=self)

    def __getitem__(self, index: Any) -> Array:
        """The rows that integers name; any other index is one of the written matrix."""
        if not isinstance(index, tuple | slice) and str(getattr(index, "dtype", "")) == "int64":
            if bool((index >= self.count).any() or (index < -self.count).any()):
                raise IndexError(f"an index is out of range for {self.count} rows")
            rows: Array = self.block[index % self.count % len(self.block)]
            return rows
        written: Array = self.__array__()[index]
        return written

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        import numpy as np

        return np.asarray(self.block[np.arange(self.count) % len(self.block)], dtype=dtype)


@record(eq=False)
class RepeatedColumns:
    """The transpose of a matrix with repeated rows."""

    rows: RepeatedRows

    @property
    def T(self) -> RepeatedRows:  # noqa: N802
        """The matrix."""
        return self.rows

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Array:
        """A function of NumPy of this: a product has the columns of a smaller one over and over."""
        import numpy as np

        if function is np.matmul and inputs[1] is self and not options:
            product: Array = np.asarray(inputs[0]) @ self.rows.block.T
            times = -(-self.rows.count // len(self.rows.block))
            return np.concatenate([product] * times, axis=-1)[..., : self.rows.count]
        written: Array = getattr(function, method)(*(np.asarray(x) if x is self else x for x in inputs), **options)
        return written

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.rows.__array__(dtype).T
