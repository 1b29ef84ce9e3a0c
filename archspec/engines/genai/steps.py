"""The step of a decoder in ONNX Runtime, fed as ONNX Runtime GenAI feeds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archspec.engines.genai.form import IDS, LOGITS, GenaiForm
from archspec.engines.step_cache import check_counts, check_room
from archspec.model.ports import DTypeName, shape_at
from archspec.model.runner import Runner
from archspec.passes.incremental.body import MASK
from archspec.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_FLOATS: dict[DTypeName, type[Any]] = {"float32": np.float32, "float16": np.float16}


@record(eq=False)
class Grown:
    """Which past entries are positions of their row, int64 [rows, past], and keys and values by name.

    No row may have more positions than `capacity`.
    """

    mask: Array
    cache: Mapping[str, Array]
    capacity: int


@record(eq=False)
class GenaiSteps:
    """Runs the file of a form step by step; what it keeps grows by the new entries, those that fill up included.

    `fed` is the name of the ids in the spec, and `side` where the ids of shorter rows are filled up: this runtime does
    it at the right, others at the left. The methods are those of the contract's `Peeking`.
    """

    runner: Runner
    form: GenaiForm
    dtype: DTypeName
    fed: str
    side: Literal["right", "left"] = "right"

    def start(self, rows: int, capacity: int, given: Mapping[str, Array]) -> Grown:
        """Return the state of rows without past positions."""
        # Without past positions every dim but that of the rows is 0.
        ports, sizes = self.form.interface.inputs, dict.fromkeys(self.form.interface.dims, 0)
        # The first dim is that of the rows.
        sizes[next(iter(sizes))] = rows
        cache = {name: np.zeros(shape_at(ports[name], sizes), dtype=_FLOATS[self.dtype]) for name in self.form.pasts}
        return Grown(mask=np.zeros((rows, 0), dtype=np.int64), cache=cache, capacity=capacity)

    def advance(self, state: Grown, ids: Array, marks: Array) -> tuple[Array, Grown]:
        """Run ids [rows, new], of which those marked 1 are positions; returns logits [rows, vocab], and the state.

        Raises ValueError if a row has more positions than its capacity.
        """
        mask = np.concatenate((state.mask, marks), axis=1)
        # The file itself takes any number: the runtime holds rows to the length of its context.
        check_room(mask.sum(axis=1), state.capacity)
        found = self.runner.run({IDS: ids, MASK: mask, **state.cache})
        # The first output is the logits.
        presents = list(self.form.interface.outputs)[1:]
        cache = {past: found[name] for past, name in zip(self.form.pasts, presents, strict=True)}
        return found[LOGITS][:, 0], replace(state, mask=mask, cache=cache)

    def step(self, state: Grown, fed: Mapping[str, Array], counts: Array) -> tuple[Array, Grown]:
        """Run the first `counts` of the new ids of each row; the others fill up.

        Raises ValueError for counts that are not from 0 to the number of new ids, and as `advance` does.
        """
        ids = fed[self.fed]
        check_counts(counts, len(state.mask), ids.shape[1])
        own = counts[:, None]
        columns = np.arange(ids.shape[1])
        if self.side == "right":
            return self.advance(state, ids, (columns < own).astype(np.int64))
        # The row's own ids move to the end, and what stood behind them to the front.
        moved = np.take_along_axis(ids, (columns + own) % ids.shape[1], axis=1)
        return self.advance(state, moved, (columns >= ids.shape[1] - own).astype(np.int64))

    def peek(self, state: Grown, fed: Mapping[str, Array], counts: Array, places: Array) -> Array:
        """Return the logits at one new position of each row; the state stays as it is."""
        # No later position counts, so that the rest of the chunk may as well fill up.
        return self.step(state, fed, np.minimum(places + 1, counts))[0]

    def restart(self, state: Grown, rows: Sequence[int], given: Mapping[str, Array]) -> Grown:
        """Return the state in which some rows have had no positions."""
        # Past entries stay, masked, so that all rows have equally many.
        mask = state.mask.copy()
        mask[list(rows)] = 0
        return replace(state, mask=mask)
