"""Write a decoder's state by TensorRT's layers of caches, and read it by attention under causality.

The ONNX parser knows neither: it makes scatter layers, and attention of single products with an explicit mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorrt_rtx as trt

from archspec.diagnostics import fail
from archspec.engines.profiles import Shapes
from archspec.engines.program import StateForm
from archspec.engines.rtx.attention import CachedAttention
from archspec.engines.rtx.settings import kept
from archspec.engines.rtx.wiring import LiveWiring

AXIS = 2
"""The axis of positions in a cache [b h length d]."""


class Caches:
    """The caches of one network. A layer of caches needs a capacity that is the same in all profiles."""

    def __init__(self, network: Any, state: StateForm, profiles: Sequence[Shapes]) -> None:
        self.network, self.state, self.profiles = network, state, profiles
        self.wiring = LiveWiring(network)
        self.inputs = {one.name: one for one in map(network.get_input, range(network.num_inputs))}
        self.outputs = {one.name: one for one in map(network.get_output, range(network.num_outputs))}

    def place(self) -> None:
        """Change the network. Raises SpecError E606 for a state that is not written by a scatter layer."""
        if not self.state.buffers:
            return
        capacity = self._capacity(self.state.buffers[0])
        writes = {name: self._write(name, capacity) for name in self.state.buffers}
        starts, lengths = self._counts(next(iter(writes.values()))[1], capacity)
        updated = {}
        for name, (old, new) in writes.items():
            layer = self.network.add_kv_cache_update(self.inputs[name], new, starts, trt.KVCacheMode.LINEAR)
            kept("mode of a cache", layer.cache_mode, trt.KVCacheMode.LINEAR)
            layer.name, layer.metadata = f"{name}.write", old.metadata
            updated[name] = layer.get_output(0)
            self.wiring.replace(old.get_output(0), updated[name])
        # Tensors are followed back to what was written before the change.
        sources = {name: old.get_output(0) for name, (old, _) in writes.items()}
        attention = CachedAttention(self.wiring, sources, updated, self.state.causal, lengths)
        attention.place()

    def _capacity(self, name: str) -> int:
        """Return the capacity of a cache. Raises SpecError E606 if it differs between profiles."""
        found = {point[AXIS] for shapes in self.profiles for point in shapes[name]}
        if len(found) > 1:
            sizes = ", ".join(map(str, sorted(found)))
            fail("E606", f"the profiles give `{name}` different capacities: {sizes}", None)
        return found.pop()

    def _write(self, name: str, capacity: int) -> tuple[Any, Any]:
        """Fix the capacity of a cache; returns the layer that writes it, and the new entries [b h new d]."""
        cache = self.inputs[name]
        shape = list(cache.shape)
        shape[AXIS] = capacity
        cache.shape = shape
        kind, layer = self.wiring.maker(self.outputs[self.state.updates[name]])
        if kind != "SCATTER" or layer.mode != trt.ScatterMode.ELEMENT or layer.axis != AXIS:
            fail("E606", f"the network writes the state `{name}` by a layer that is not known for it", None)
        new = layer.get_input(2)
        made, gather = self.wiring.maker(new)
        # Behind the capacity the last entry was written again; here the runtime never writes there.
        if made == "GATHER" and gather.mode == trt.GatherMode.ELEMENT and gather.axis == AXIS:
            new = gather.get_input(0)
        return layer, new

    def _counts(self, new: Any, capacity: int) -> tuple[Any, Any]:
        """Return, for each row, where its new entries begin, and how many entries it has with them: int32 [b]."""
        add = self.network
        sizes = add.add_shape(new).get_output(0)
        count = add.add_gather(sizes, self._constant([AXIS]), 0).get_output(0)
        past, most = self.inputs[self.state.past], self._constant([capacity])
        last = self._combine(most, count, trt.ElementWiseOperation.SUB)
        # A row that is full rests, while others go on: its last entry may be anything.
        start = self._combine(past, last, trt.ElementWiseOperation.MIN)
        total = self._combine(past, count, trt.ElementWiseOperation.SUM)
        length = self._combine(total, most, trt.ElementWiseOperation.MIN)
        starts, lengths = (add.add_cast(one, trt.int32).get_output(0) for one in (start, length))
        return starts, lengths

    def _combine(self, one: Any, other: Any, operation: Any) -> Any:
        return self.network.add_elementwise(one, other, operation).get_output(0)

    def _constant(self, values: list[int]) -> Any:
        array = np.array(values, np.int64)
        self.wiring.keep(array)
        return self.network.add_constant((len(values),), trt.Weights(array)).get_output(0)
