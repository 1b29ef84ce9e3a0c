"""Compare a decoder for ONNX Runtime GenAI, run step by step as that runtime does, with a full forward of each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.bundle.parity import SEED, measured
from archspec.bundle.report import OutputDifference
from archspec.engines.genai.steps import GenaiSteps
from archspec.record import record
from archspec.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

SIDES = ("right", "left")
FEW, STEPS = 7, 3
"""The length of a short row, and how many single ids follow a prompt."""


@record(eq=False)
class PromptContest:
    """Rows of ids: all but the last `steps` are given at once, these one by one."""

    rows: Sequence[Array]
    steps: int

    @property
    def prompts(self) -> list[int]:
        """How many ids of each row are given at once."""
        return [len(row) - self.steps for row in self.rows]

    def expected(self, full: Callable[[Array], Array]) -> Array:
        """Return the logits [rows, steps, vocab] by `full`, which gives those [1, n, vocab] of a row of ids [1, n]."""
        found = [full(row[None])[0, first - 1 :] for row, first in zip(self.rows, self.prompts, strict=True)]
        return np.stack([logits.astype(np.float64) for logits in found])

    def differences(self, steps: GenaiSteps, expected: Array) -> list[OutputDifference]:
        """Return how far the steps are from these logits, with shorter prompts filled up at either side."""
        return [measured(f"logits, padded {side}", self.found(steps, side), expected) for side in SIDES]

    def found(self, steps: GenaiSteps, side: str) -> Array:
        """Return the logits [rows, steps, vocab] of the prompts and of each further id."""
        width, state = max(self.prompts), steps.start(len(self.rows), max(map(len, self.rows)), {})
        placed = [_padded(row[:count], width, side) for row, count in zip(self.rows, self.prompts, strict=True)]
        ids, marks = (np.stack(parts) for parts in zip(*placed, strict=True))
        made, state = steps.advance(state, ids, marks)
        all_made = [made]
        for step in range(self.steps):
            ids = np.stack([row[[count + step]] for row, count in zip(self.rows, self.prompts, strict=True)])
            made, state = steps.advance(state, ids, np.ones_like(ids, dtype=np.int64))
            all_made.append(made)
        return np.stack(all_made, axis=1).astype(np.float64)


def _padded(prompt: Array, width: int, side: str) -> tuple[Array, Array]:
    """Return a prompt filled up to a width with its first id, and which of the entries are its own."""
    own, filling = np.ones(len(prompt), dtype=np.int64), np.zeros(width - len(prompt), dtype=np.int64)
    ids = (prompt, np.full_like(filling, prompt[0], dtype=prompt.dtype))
    marks = (own, filling)
    order = 1 if side == "right" else -1
    return np.concatenate(ids[::order]), np.concatenate(marks[::order])


def step_contests(spec: Spec, seed: int = SEED) -> Iterator[PromptContest]:
    """Yield contests of two rows: over few positions, and over as many as are typical.

    The second row is shorter where a row may be.
    """
    assert spec.decode is not None
    given = spec.inputs[spec.decode.input]
    (rows,), (length,) = (size.symbols() for size in given.type.shape)
    unit, bound = length.multiple, given.type.bound
    most, few = length.max // unit * unit, -(-FEW // unit) * unit
    rng = np.random.default_rng(seed)
    for total in dict.fromkeys((min(most, few), min(most, max(few, length.typical)))):
        steps, shorter = min(STEPS, total - 1), total - 2 * unit
        lengths = [total, shorter if shorter > max(steps, length.min - 1) else total][: rows.max]
        drawn = [rng.integers(0, _vocabulary(spec) if bound is None else bound.value({}), count) for count in lengths]
        ids = [row.astype(given.type.dtype.value) for row in drawn]
        yield PromptContest(rows=ids, steps=steps)


def _vocabulary(spec: Spec) -> int:
    assert spec.decode is not None
    return spec.outputs[spec.decode.output].type.shape[2].value({})
