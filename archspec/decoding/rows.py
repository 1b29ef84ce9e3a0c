"""The sequences of a batch, and the padded arrays in which they are fed to the module."""

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
    """The result of a row: its prompt with the start id, the generated ids, and whether the last one is an end id.

    `log_probabilities`, if they were asked for, are those of the ids under the softmax of the logits, before banned ids
    are excluded and logits are penalised or divided by the temperature. `score` is that of a beam search. `text` is
    what the ids add to the text of the prompt, if there is a tokenizer.
    """

    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    ended: bool
    log_probabilities: tuple[float, ...] | None = None
    score: float | None = None
    text: str | None = None


@record(eq=False)
class DecodingStep:
    """One more id for each of `rows`, the numbers of those that had not ended.

    `logits` [rows, vocab] are those at each row's last position, before banned ids are excluded.
    """

    rows: tuple[int, ...]
    ids: tuple[int, ...]
    logits: Tensor

    def log_probabilities(self) -> list[float]:
        """The log-probability of each id under the softmax of its row's logits."""
        # In float64, where the sum over a large vocabulary keeps its digits.
        likely = self.logits.double().log_softmax(-1)
        return [float(row[id]) for row, id in zip(likely, self.ids, strict=True)]


@record(eq=False)
class RowBlock:
    """Padded sequences: ids, whether they are valid, and position numbers, each [rows, width].

    Padding has id 0 and position 0. `last` [rows] is the column of each row's last id.
    """

    ids: NDArray[np.int64]
    valid: NDArray[np.bool_]
    positions: NDArray[np.int64]
    last: NDArray[np.int64]


def block(sequences: Sequence[Sequence[int]], width: int, side: Side) -> RowBlock:
    """Pad sequences to a common width; positions are counted from each row's first id.

    Args:
        sequences: the ids of each row.
        width: the number of columns, at least the longest length.
        side: `left` pads on the left, the others on the right.
    """
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
