"""The cached step of a decoder in the layout `triton`: a model whose state the server keeps between the requests.

A sequence of requests is one row: Triton gives each of them the state that the one before it left (implicit state), and
zeros to the first. The state has the size of its capacity, since sequences are batched, and their states must fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from archspec.algebra.dim import Symbol
from archspec.bundle.step_work import BuiltProgram
from archspec.bundle.triton import CONFIGURATION, REPOSITORY, SERVED, VERSION, batch_of, data_type, model_name, tensor
from archspec.engines.build import ARTIFACTS, BuiltArtifact
from archspec.engines.engine import Target
from archspec.ir.graph import Graph
from archspec.lower.step_programs import StepPrograms
from archspec.masks.at_positions import AtPositions
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.mask import Mask
from archspec.masks.walk import leaves
from archspec.model.ports import DTypeName, Interface, Port
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.make_mask import MakeMask
from archspec.record import record

_STATELESS = {
    "openvino": "Triton's backend keeps no state",
    "tensorrt-rtx": "its engine writes the state in place, which no server was there to try",
}


@record(eq=False)
class ServedStep:
    """The step of a decoder as Triton is to serve it; `whole` has the sizes that it may batch of the full forward."""

    name: str
    programs: StepPrograms
    whole: Interface
    dtype: DTypeName

    def arranged(self, folder: Path, built: Sequence[BuiltProgram]) -> tuple[tuple[BuiltProgram, ...], tuple[str, ...]]:
        """Move the steps that Triton can serve into the repository of a bundle being written.

        Returns the programs with the new folders, and for each other step why it stays among the artifacts.
        """
        steps = next((one for one in built if one.program.part == "step"), None)
        if steps is None:
            return tuple(built), ()
        reasons = {one.target: self.unserved(one.target) for one in steps.built}
        count = sum(reason is None for reason in reasons.values())
        moved = tuple(self._moved(folder, one, count) if reasons[one.target] is None else one for one in steps.built)
        for place in (Path(ARTIFACTS, "step"), Path(ARTIFACTS)):
            if not any((folder / place).iterdir()):
                (folder / place).rmdir()
        kept = tuple(f"step of {target} in Triton: {reason}" for target, reason in reasons.items() if reason)
        return tuple(replace(one, built=moved) if one is steps else one for one in built), kept

    def unserved(self, target: Target) -> str | None:
        """Return why Triton cannot serve the step of a target; None if it can."""
        batch = batch_of(self.programs.step.interface)
        if target.engine in _STATELESS:
            return _STATELESS[target.engine]
        if self.programs.once is not None:
            return "what is made once of further inputs would be sent with every request"
        if isinstance(batch, str):
            return batch
        known = {self.programs.found.length, batch}
        ports = self.programs.step.interface.inputs
        sizes = (size for name in self.programs.updates for size in ports[name].type.shape)
        loose = sorted({symbol.name for size in sizes for symbol in size.symbols() - known})
        return f"the size of its state depends on {', '.join(loose)}" if loose else None

    def configuration(self, name: str, target: Target, file: str) -> str:
        """Return the text of the step's `config.pbtxt`; `file` is the artifact's first file."""
        return "\n".join(self._configuration(name, target, file)) + "\n"

    def _moved(self, folder: Path, one: BuiltArtifact, count: int) -> BuiltArtifact:
        """Move one artifact into its model folder."""
        name = f"{model_name(self.name, one.target, count)}-step"
        place = Path(REPOSITORY, name)
        (folder / place).mkdir(parents=True)
        (folder / one.folder).rename(folder / place / VERSION)
        text = self.configuration(name, one.target, one.artifact.files[0])
        (folder / place / CONFIGURATION).write_text(text, encoding="utf-8")
        return replace(one, folder=place / VERSION)

    def _configuration(self, name: str, target: Target, file: str) -> Iterator[str]:
        """Yield the lines of a `config.pbtxt`."""
        interface, updates = self.programs.step.interface, self.programs.updates
        batch, length = batch_of(interface), self.programs.found.length.name
        assert isinstance(batch, Symbol)
        rows, capacity = self.whole.dims[batch.name].max, self.whole.dims[length].max
        yield f"# one sequence is one row of at most {capacity} positions; a request feeds its next ones"
        yield "# past: how many positions the sequence has had; last: which of the new ones the output is at"
        if "count" in interface.inputs:
            yield "# count: how many of the new positions there are"
        if has_prefix(self.programs.found.step):
            yield "# the first request of a sequence must cover the prefix, whose positions see all of it"
        yield f'name: "{name}"'
        yield SERVED[target.engine]
        yield f'default_model_filename: "{file}"'
        yield f"max_batch_size: {rows}"
        for port in interface.input_ports:
            if port.name not in updates:
                yield from tensor("input", port, 1, self.dtype)
        yield from tensor("output", interface.outputs[self.programs.output], 1, self.dtype)
        yield "sequence_batching {"
        # Under `oldest` Triton batches the next requests of several sequences, whose slots `direct` would fix.
        yield f"  oldest {{ max_candidate_sequences: {rows} }}"
        for old, new in updates.items():
            yield from self._state(interface.inputs[old], new, {length: capacity})
        yield "}"
        yield "instance_group [{ kind: KIND_CPU }]"

    def _state(self, port: Port, update: str, sizes: Mapping[str, int]) -> Iterator[str]:
        """Yield the lines of one value of the state, which is zeros at first."""
        dims = ", ".join(str(size.value(sizes)) for size in port.type.shape[1:])
        kind = data_type(port.type, self.dtype)
        yield "  state {"
        yield f'    input_name: "{port.name}"'
        yield f'    output_name: "{update}"'
        yield f"    data_type: {kind}"
        yield f"    dims: [{dims}]"
        yield f'    initial_state {{ name: "empty" data_type: {kind} dims: [{dims}] zero_data: true }}'
        yield "  }"


def has_prefix(step: Graph) -> bool:
    """Whether a mask of a step opens a prefix, so that its first chunk must cover it."""
    masks = (node.op.mask for node in step.walk() if isinstance(node.op, Attention | MakeMask))
    return any(map(_opens, masks))


def _opens(mask: Mask) -> bool:
    # The masks of a step stand inside one of positions, which is a leaf.
    inner = [leaf.mask if isinstance(leaf, AtPositions) else leaf for leaf in leaves(mask)]
    return any(isinstance(leaf, Prefix) for one in inner for leaf in leaves(one))
