"""The step of a decoder in ONNX Runtime: what is kept is input and output at once, so that nothing of it is copied.

Where attention is `GroupQueryAttention` (see `ort`), it writes new entries in place; elsewhere ScatterElements of opset
18 does, which every runtime and TensorRT take. TensorScatter (opset 24) would do the same, but parsers drop the lengths
that belong to it; a concatenation copies all that is kept at every step. `docs/decoding.md` has their times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.diagnostics import fail
from archspec.engines.ort.export import ATTENTION
from archspec.model.runner import Array, Arrays

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, IOBinding


class BoundStep:
    """Runs a session whose state is bound once to the same memory as input and as output."""

    capacity: int | None = None

    def __init__(self, session: InferenceSession, updates: Mapping[str, str]) -> None:
        self._session, self._updates = session, updates
        changed = set(updates.values())
        self._names = [output.name for output in session.get_outputs() if output.name not in changed]
        self._order: list[str] = []
        self._binding: IOBinding | None = None
        self._state: Mapping[str, Array] | None = None
        # `GroupQueryAttention` refuses several new positions of several rows with a past, and writes all of them.
        self.by_rows = ATTENTION in session.get_modelmeta().custom_metadata_map

    def run(self, inputs: Arrays, state: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """Compute one step; the state is written in place. Raises SpecError E610 if ONNX Runtime fails."""
        from onnxruntime.capi import onnxruntime_pybind11_state as errors

        binding = self._bound(state)
        for name, array in inputs.items():
            binding.bind_cpu_input(name, array)
        for name in self._names:
            # Bound anew: a run fills what an earlier one has allocated.
            binding.bind_output(name)
        try:
            self._session.run_with_iobinding(binding)
        except (errors.Fail, errors.InvalidArgument, errors.RuntimeException) as error:
            fail("E610", "ONNX Runtime failed on these inputs", None, notes=(str(error).strip(),))
        # A list of all would take a tenth of a millisecond.
        outputs = binding.get_outputs_as_ortvaluevector()
        # They come in the order in which they were bound, by no name: one too few would shift all others.
        if len(outputs) != len(self._order):
            raise ValueError(f"ONNX Runtime gives {len(outputs)} outputs where {len(self._order)} are bound")
        return {name: outputs[number].numpy() for number, name in enumerate(self._names)}, dict(state)

    def _bound(self, state: Mapping[str, Array]) -> IOBinding:
        """The binding of a state; the same one as long as the state is."""
        from onnxruntime import OrtValue

        if self._binding is None or self._state is not state:
            self._binding, self._state = self._session.io_binding(), state
            self._order = [*self._names, *(self._updates[name] for name in state if name in self._updates)]
            for name in self._names:
                self._binding.bind_output(name)
            for name, array in state.items():
                # The value uses the memory of the array.
                value = OrtValue.ortvalue_from_numpy(array)
                self._binding.bind_ortvalue_input(name, value)
                if name in self._updates:
                    self._binding.bind_ortvalue_output(self._updates[name], value)
        return self._binding
