"""The cached step of a module, beside the interpreter's full run of each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

import archspec
from archspec.spec import Spec
from tests.passes.stepping import Counts, Stepping

BOUNDS = {torch.float64: 1e-10, torch.float32: 1e-5}


class ModuleStepping(Stepping):
    """A decoder whose module runs step by step; its buffers hold what earlier rows left."""

    def __init__(self, spec: Spec, *, rows: int, total: int, dtype: torch.dtype = torch.float64) -> None:
        assert spec.decode is not None
        super().__init__(spec.graph, spec.decode.input, spec.decode.output, rows=rows, total=total)
        self.fed = spec.decode.input
        self.dtype = dtype
        self.module: nn.Module = archspec.compile(spec, unproved=True).to(dtype).eval()
        self.module.load_state_dict({name: self.tensor(array) for name, array in self.parameters.items()})
        self.known: dict[tuple[int, int], np.ndarray] = {}

    def tensor(self, array: np.ndarray) -> Tensor:
        """An array in the dtype of the module."""
        found = torch.from_numpy(np.ascontiguousarray(array))
        return found.to(self.dtype) if found.is_floating_point() else found

    def cache(self, capacity: int) -> tuple[Tensor, ...]:
        """A cache with rubbish in its buffers."""
        once = [] if self.found.once is None else [value.name for value in self.found.once.inputs]
        held = [v.name for v in self.found.step.inputs if v.name in self.inputs and v.name not in self.grown]
        given = {name: self.tensor(self.inputs[name]) for name in dict.fromkeys([*once, *held])}
        cache = self.module.new_cache(self.rows, capacity, **given)
        for one in self.changing(cache):
            one.copy_(torch.randn(one.shape) if one.is_floating_point() else torch.randint(2, one.shape))
        return cache

    def changing(self, cache: tuple[Tensor, ...]) -> list[Tensor]:
        """The buffers that steps write."""
        kept = cache[len(cache) - len(self.found.state) :]
        return [one for one, kind in zip(kept, self.found.state, strict=True) if kind.kind != "once"]

    def given(self, past: np.ndarray, counts: np.ndarray) -> dict[str, Tensor]:
        """The inputs of a step, filled up at the right with values that mean nothing."""
        made = {}
        for name, type_ in self.grown.items():
            self.sizes[self.length] = max(counts)
            drawn = self.draw(type_)
            self.sizes[self.length] = self.total
            for row in range(self.rows):
                own = self._cut(name, self._row(name, self.inputs[name], row), past[row], past[row] + counts[row])
                drawn[row, : counts[row]] = own[0]
            made[name] = self.tensor(drawn)
        return made

    def largest(self, schedule: Sequence[Counts], capacity: int | None = None) -> float:
        """The largest difference of the logits of any row after any step from those of its own full run."""
        with torch.no_grad():
            cache = self.cache(self.total if capacity is None else capacity)
            past, worst = np.zeros(self.rows, dtype=np.int64), 0.0
            for counts in map(np.array, schedule):
                inputs = self.given(past, counts)
                ids = inputs.pop(self.fed)
                logits, cache = self.module.step(ids, cache=cache, counts=torch.from_numpy(counts), **inputs)
                past = past + counts
                for row in np.flatnonzero(counts):
                    difference = (logits[row] - self.tensor(self.wanted(row, past[row]))).abs()
                    assert difference.isfinite().all()
                    worst = max(worst, float(difference.max()))
        return worst

    def wanted(self, row: int, length: int) -> np.ndarray:
        """The interpreter's logits of one row at its last position."""
        if (row, length) not in self.known:
            self.known[row, length] = self.full(row, length)[0, -1]
        return self.known[row, length]
