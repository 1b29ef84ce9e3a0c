"""The sequences of a batch as they grow, and the tensors that they are fed as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.decoding.plan import Side
from archspec.record import record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@record
class Generated:
    """A row: what stood first, the start id included; the ids that were generated; whether the last is an end id."""

    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    ended: bool


@record(eq=False)
class DecodingStep:
    """One id more for `rows`, those that had not ended: logits [rows, vocab] at each row's last position, and `ids`."""

    rows: tuple[int, ...]
    ids: tuple[int, ...]
    logits: Tensor


@record(eq=False)
class RowBlock:
    """Sequences side by side: ids, where they are valid, and the numbers of their positions, each [rows, width].

    `last` is the column of each row's last id.
    """

    ids: NDArray[np.int64]
    valid: NDArray[np.bool_]
    positions: NDArray[np.int64]
    last: NDArray[np.int64]


def block(sequences: Sequence[Sequence[int]], width: int, side: Side) -> RowBlock:
    """Sequences filled up to a width: with valid at one side, positions counted from the first valid one."""
    import numpy as np

    lengths = np.array([len(sequence) for sequence in sequences])
    first = width - lengths if side == "left" else np.zeros_like(lengths)
    columns = np.arange(width)
    places = columns - first[:, None]
    ids = np.zeros((len(sequences), width), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, first[row] : first[row] + lengths[row]] = sequence
    valid = (places >= 0) & (places < lengths[:, None])
    return RowBlock(ids=ids, valid=valid, positions=np.where(valid, places, 0), last=first + lengths - 1)
