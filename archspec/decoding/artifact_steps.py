"""The built step of a decoder, as generation calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from archspec.engines.step_cache import StepCache
from archspec.engines.steps import BuiltSteps
from archspec.ir.types import TensorType
from archspec.model.ports import Interface, sizes_of
from archspec.record import record


@record(eq=False)
class ArtifactSteps:
    """Runs opened programs of a target on tensors of the CPU; `interface` is that of the whole model."""

    steps: BuiltSteps
    interface: Interface
    target: str

    @property
    def types(self) -> Mapping[str, TensorType]:
        """The types of the fed inputs."""
        ports = self.steps.programs.step.interface.inputs
        return {name: ports[name].type for name in self.steps.programs.fed}

    @property
    def selects(self) -> bool:
        """Whether rows can be taken out of a cache."""
        return self.steps.selects

    def new_cache(self, rows: int, capacity: int, tensors: Mapping[str, Tensor]) -> StepCache:
        """An empty cache; see `StepRunner`."""
        arrays = {name: tensors[name].numpy() for name in self.steps.programs.given}
        return self.steps.new_cache(rows, capacity, arrays, sizes_of(self.interface, arrays))

    def sizes(self, cache: StepCache, new: int) -> dict[str, int]:
        """The sizes of the dims of positions at a step of `new` positions."""
        found = self.steps.programs.found
        cache.fit(new, found.length)
        return {found.new.name: new, found.length.name: cache.length if cache.whole else found.length.max}

    def step(self, tensors: Mapping[str, Tensor], cache: StepCache, counts: Tensor) -> tuple[Tensor, StepCache]:
        """Logits at each row's last new position, and the same cache; see `StepRunner`."""
        fed = {name: tensors[name].numpy() for name in self.steps.programs.fed}
        return torch.from_numpy(self.steps.run(fed, cache, counts.numpy())), cache

    def selected(self, cache: StepCache, places: Tensor) -> StepCache:
        """The cache of some of its rows, by their places."""
        axes = {name: axis for name, axis in self.steps.programs.axes.items() if axis is not None}
        return cache.selected(places.numpy(), axes)

    def at(self, cache: StepCache, past: Sequence[int]) -> StepCache:
        """The same cache with other numbers of past positions."""
        cache.past = np.array(past, np.int64)
        return cache

    def entered(self, cache: StepCache, part: StepCache, rows: Sequence[int]) -> StepCache:
        """The same cache, whose `rows` have what was made once for the first rows of another one."""
        axes = {name: axis for name, axis in self.steps.programs.axes.items() if axis is not None}
        for own, other in ((cache.once, part.once), (cache.held, part.held)):
            for name in own.keys() & axes.keys():
                np.moveaxis(own[name], axes[name], 0)[list(rows)] = np.moveaxis(other[name], axes[name], 0)[: len(rows)]
        return cache
