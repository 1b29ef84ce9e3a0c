"""What an opened step keeps of rows: buffers of fixed capacity, of which a step reads a beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from math import lcm

import numpy as np

from archspec.algebra.dim import Symbol
from archspec.analyses.cache import KeptValue
from archspec.ir.types import DType
from archspec.lower.step_programs import ports_of
from archspec.model.ports import HELD, DTypeName
from archspec.model.runner import Array

BLOCK = 64
"""Buffers grow by this many positions: a step then reads few that are not yet written."""


class WholeBuffer:
    """Entries of all positions, the first ones of a memory that holds the capacity.

    The entries stand close together, so that the part of each layer is one piece of memory; when there are more, they
    are moved apart. `axis` is that of the positions in `shape`.
    """

    def __init__(self, shape: Sequence[int], axis: int, dtype: str) -> None:
        self._shape, self._axis = tuple(shape), axis
        self._memory = np.zeros(int(np.prod(shape)), dtype)
        self.array = self._view(0)

    def fit(self, length: int) -> None:
        """Grow to a number of positions, which is not less than before and at most the capacity."""
        old, new = self.array, self._view(length)
        groups, inner = int(np.prod(self._shape[: self._axis])), int(np.prod(self._shape[self._axis + 1 :]))
        before, after = (view.reshape(groups, view.shape[self._axis], inner) for view in (old, new))
        # From the last to the first: what is moved apart lies behind what is not yet moved.
        for group in reversed(range(groups)):
            after[group, : before.shape[1]] = before[group].copy()
        self.array = new

    def copied(self) -> WholeBuffer:
        """A buffer with the same entries in memory of its own."""
        made = WholeBuffer(self._shape, self._axis, self._memory.dtype.str)
        made.array = made._view(self.array.shape[self._axis])
        made.array[...] = self.array
        return made

    def selected(self, axis: int, places: Array) -> WholeBuffer:
        """A buffer with some entries of another axis."""
        shape = list(self._shape)
        shape[axis] = len(places)
        made = WholeBuffer(shape, self._axis, self._memory.dtype.str)
        made.array = made._view(self.array.shape[self._axis])
        np.take(self.array, places, axis, out=made.array)
        return made

    def _view(self, length: int) -> Array:
        shape = list(self._shape)
        shape[self._axis] = length
        return self._memory[: int(np.prod(shape))].reshape(shape)


class StepCache:
    """The state of rows that are decoded together, and the inputs that stay the same.

    `past` int64 [rows] says how many positions each row has had, and `length` how many the buffers have entries for.
    """

    def __init__(
        self, rows: int, capacity: int, state: Sequence[KeptValue], sizes: Mapping[str, int], dtype: DTypeName
    ) -> None:
        """Make empty buffers.

        Args:
            rows: how many rows are decoded together.
            capacity: the maximum number of positions of a row.
            state: what is kept.
            sizes: the size of each dim.
            dtype: of the program's floats. What is kept of bfloat16 is stored in float32: each value is the same.
        """
        self.past = np.zeros(rows, np.int64)
        self.length = 0
        self.capacity = capacity
        self.whole: dict[str, WholeBuffer] = {}
        self.fixed: dict[str, Array] = {}
        self.once: dict[str, Array] = {}
        self.held: dict[str, Array] = {}
        self.state = {one.name: one for one in state}
        for one in state:
            if one.axis is None:
                continue
            shape = [size.value(sizes) for size in one.type.shape]
            kind = _dtype(one, dtype)
            if one.kind == "whole":
                self.whole[one.name] = WholeBuffer(shape, one.axis, kind)
            else:
                self.fixed[one.name] = np.zeros(shape, kind)

        self._parts: dict[str, Array] | None = None

    def fit(self, new: int, symbol: Symbol) -> None:
        """Have entries for a number of new positions; `symbol` is the dim of the positions."""
        # The program takes only lengths that the dim admits.
        unit = lcm(BLOCK, symbol.multiple)
        wanted = max(-(-min(int(self.past.max()) + new, self.capacity) // unit) * unit, symbol.min)
        length = min(wanted, self.capacity)
        if length > self.length:
            for buffer in self.whole.values():
                buffer.fit(length)
            self.length, self._parts = length, None

    @property
    def parts(self) -> dict[str, Array]:
        """The state by the inputs of the program, each a part of a buffer; the same dict until the buffers change."""
        if self._parts is None:
            arrays = {name: buffer.array for name, buffer in self.whole.items()} | self.fixed
            self._parts = {}
            for name, array in arrays.items():
                one = self.state[name]
                split = dict(zip(ports_of(one, name), array, strict=True)) if one.layers else {name: array}
                self._parts |= split
            self._parts |= self.once
        return self._parts

    def copied(self) -> StepCache:
        """A cache with the same state in memory of its own."""
        # What is made once and what is held never change: both caches share them.
        made = copy(self)
        made.whole = {name: one.copied() for name, one in self.whole.items()}
        made.fixed = {name: one.copy() for name, one in self.fixed.items()}
        made._parts = None
        return made

    def selected(self, places: Array, axes: Mapping[str, int]) -> StepCache:
        """The cache of some of its rows, by their places; `axes` are the axes of rows by name."""
        made = copy(self)
        made.past = self.past[places]
        made.whole = {name: one.selected(axes[name], places) for name, one in self.whole.items()}
        for field in ("fixed", "once", "held"):
            arrays = getattr(self, field)
            taken = {
                name: np.take(one, places, axes[name]) if name in axes else one.copy() for name, one in arrays.items()
            }
            setattr(made, field, taken)
        made._parts = None
        return made


def store(kept: Mapping[str, Array], state: Mapping[str, Array]) -> None:
    """Take the state after a step into what is kept; what was written in place is there already."""
    for name, array in kept.items():
        if state[name] is not array:
            np.copyto(array, state[name])


def check_counts(counts: Array, rows: int, most: int, what: str = "counts") -> None:
    """Raise ValueError unless there is a number from 0 to `most` for each row; `what` names them."""
    if counts.shape != (rows,) or ((counts < 0) | (counts > most)).any():
        raise ValueError(f"{what} must be from 0 to {most} for each row, not {counts.tolist()}")


def check_room(positions: Array, capacity: int) -> None:
    """Raise ValueError for more positions int64 [rows] than a row has room for."""
    most = int(positions.max())
    if most > capacity:
        raise ValueError(f"a row has {most} positions, but its cache takes {capacity}")


def _dtype(one: KeptValue, dtype: DTypeName) -> str:
    return HELD[dtype] if one.type.dtype is DType.FLOAT else one.type.dtype.value
