"""Compare an artifact with the module and with the interpreter, on the same weights and random inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from archspec.algebra.symbol import Symbol
from archspec.analyses.cost import cost
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.report import OutputDifference, ParityTrial, Reference
from archspec.bundle.stored import StoredArrays
from archspec.contract.difference import difference
from archspec.contract.report import shown
from archspec.engines.engine import Target
from archspec.engines.module import load_module, named_arguments, named_outputs
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, target_of
from archspec.model.inputs import prepare
from archspec.model.ports import DTypeName
from archspec.model.runner import FunctionRunner, Runner
from archspec.model.samples import sample
from archspec.model.sizes import minimum, odd, typical
from archspec.oracle.borders import MOST, TWICE, Settled, settled
from archspec.oracle.interpreter import interpret
from archspec.passes.round_operands import rounds
from archspec.weights.files import read_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from archspec.ir.graph import Graph

    Arrays = Mapping[str, NDArray[Any]]

SEED = 7
MOST_FLOPS = 500_000_000_000
"""A comparison that costs more is skipped: the module and the artifact would run for minutes on a CPU."""
MOST_PARAMETERS = 150_000_000
_SEEDS = 32
_OPEN = 1e-6
"""So little of an output is not worth other inputs."""
MOST_EXACT_FLOPS = 50_000_000_000
"""A comparison with the interpreter, which computes in float64, is skipped if it costs more."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """An artifact and the references it is compared with.

    Only one of module, artifact and interpreter is in memory at a time; `opened` opens the artifact.
    """

    target: str
    dtype: DTypeName
    opened: Callable[[], Runner]
    program: Program
    graph: Graph

    def trials(self) -> Iterator[ParityTrial | str]:
        """Yield every affordable comparison, and a text for each that is not, within the artifact's profiles."""
        if rounds(self.graph):
            yield from self._settled()
            return
        flops = cost(self.graph).flops
        points = self._points(minimum, odd, typical)
        affordable = [sizes for sizes in points if flops.value(sizes) <= MOST_FLOPS]
        exact = self._exact_point()
        # The module is computed first and released, so that it and the artifact never share memory.
        expected = self._expected(affordable)
        runner, kept = self.opened(), None
        for sizes in affordable:
            found = self._found(runner, sizes)
            kept = found if sizes == exact else kept  # always one of these: the interpreter's limit is lower
            yield self._trial("module", sizes, found, expected.pop(0))
        # Released before the interpreter needs memory for float64.
        del runner
        for sizes in points:
            if sizes not in affordable:
                yield f"{self.target} at {shown(sizes)}: {flops.value(sizes):.2g} FLOPs are too many for this check"
        if kept is None or exact is None:
            yield f"{self.target} against the interpreter: the model is too large for float64 on a CPU"
        else:
            parameters = StoredArrays(self.program.weights)
            made = interpret(self.graph, self._inputs(exact), parameters, exact)
            yield self._trial("interpreter", exact, kept, made)

    def _settled(self) -> Iterator[ParityTrial | str]:
        """Yield the comparisons of a model that rounds what it computes, on inputs that leave as little open as any.

        Inputs are tried by seed until no number that is rounded lies between two; where some do in all, outputs may be
        as far apart as these explain.
        """
        counted, parameters = cost(self.graph), StoredArrays(self.program.weights)
        tried: list[tuple[dict[str, int], int, Settled]] = []
        for sizes in self._points(minimum, odd, typical):
            flops = counted.flops.value(sizes)
            if flops > MOST_EXACT_FLOPS or counted.parameters > MOST_PARAMETERS:
                yield f"{self.target} at {shown(sizes)}: too large for float64, which tells what rounding leaves open"
                continue
            seeds = range(SEED, SEED + (_SEEDS if flops < MOST_EXACT_FLOPS / 100 else 1))
            tried.append((sizes, *self._least_open(sizes, parameters, seeds)))
        module = load_module(self.program, "float32")
        expected = [run_module(module, self.program, self._inputs(sizes, seed)) for sizes, seed, _ in tried]
        del module
        runner = self.opened()
        for (sizes, seed, made), one in zip(tried, expected, strict=True):
            found = self._found(runner, sizes, seed)
            yield self._trial("module", sizes, found, one, seed, made.apart)
            yield self._trial("interpreter", sizes, found, made.outputs, seed, made.apart)

    def _least_open(self, sizes: dict[str, int], parameters: Arrays, seeds: Sequence[int]) -> tuple[int, Settled]:
        """The seed of inputs on which rounding leaves least open, and what the interpreter makes of these."""
        best: tuple[int, Settled] | None = None
        for seed in seeds:
            made = settled(self.graph, self._inputs(sizes, seed), parameters, sizes)
            if best is None or made.farthest < best[1].farthest:
                best = seed, made
            if best[1].farthest <= _OPEN:
                break
        assert best is not None
        return best

    def _points(self, *choices: Callable[[Sequence[Symbol]], dict[str, int]]) -> list[dict[str, int]]:
        """Return the sizes to try, without duplicates: those chosen from each profile that binds the artifact.

        An artifact that is not bound to profiles is tried at sizes chosen from all that the interface admits.
        """
        whole, profiles = self.program.interface, self.program.profiles
        bound = engine_of(target_of(self.target)).profiled and profiles
        interfaces = [whole.narrowed(profile) for profile in profiles] if bound else [whole]
        points = [choose(interface.symbols) for interface in interfaces for choose in choices]
        return [point for index, point in enumerate(points) if point not in points[:index]]

    def _exact_point(self) -> dict[str, int] | None:
        """Return the sizes at which the interpreter computes, None if it would take too long or too much memory."""
        counted = cost(self.graph)
        if counted.parameters > MOST_PARAMETERS:
            return None
        # Odd sizes first: errors of padding and of alignment need not show at the smallest.
        points = self._points(odd, minimum)
        return next((sizes for sizes in points if counted.flops.value(sizes) <= MOST_EXACT_FLOPS), None)

    def _expected(self, points: Sequence[dict[str, int]]) -> list[dict[str, NDArray[Any]]]:
        """Compute the outputs of the emitted module in float32 at each of these sizes."""
        module = load_module(self.program, "float32")
        return [run_module(module, self.program, self._inputs(sizes)) for sizes in points]

    def _inputs(self, sizes: Mapping[str, int], seed: int = SEED) -> Arrays:
        return sample(self.program.interface, sizes, seed)

    def _found(self, runner: Runner, sizes: Mapping[str, int], seed: int = SEED) -> Arrays:
        return runner.run(prepare(self.program.interface, self._inputs(sizes, seed), self.dtype))

    def _trial(
        self,
        reference: Reference,
        sizes: dict[str, int],
        found: Arrays,
        expected: Arrays,
        seed: int = SEED,
        apart: Arrays = MappingProxyType({}),
    ) -> ParityTrial:
        """Return the differences of all outputs as a trial; `apart` is what rounding leaves open of each."""
        differences = [measured(name, found[name], expected[name]) for name in self.program.interface.outputs]
        if apart:
            moved = {name: float(one.max(initial=0.0)) for name, one in apart.items()}
            differences = [
                one.model_copy(update={"rounding": explained(moved[one.output], one)}) for one in differences
            ]
        return ParityTrial(
            artifact=self.target,
            dtype=self.dtype,
            reference=reference,
            sizes=sizes,
            seed=seed,
            differences=differences,
        )


def contest(target: Target, dtype: DTypeName, file: Path, program: Program, spec: Path) -> Contest:
    """Return an artifact together with its program and the graph of its spec.

    `file` is the artifact's first file, `spec` the path of the spec.
    """

    def opened() -> Runner:
        return engine_of(target).open(file, program.interface)

    return Contest(target=str(target), dtype=dtype, opened=opened, program=program, graph=bundled_spec(spec).graph)


def run_module(module: Any, program: Program, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Compute the outputs of the emitted module by name; `inputs` must have every input.

    A module in half precision takes floats in it, and its outputs are returned as float32.
    """
    import torch

    # Of quantised weights, the scales are buffers.
    held = (*module.parameters(), *module.buffers())
    dtype = next((one.dtype for one in held if one.is_floating_point()), torch.float32)
    tensors = (torch.from_numpy(inputs[port.name]) for port in program.interface.input_ports)
    given = [tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in tensors]
    with torch.inference_mode():
        result = module(**named_arguments(module, given))
    named = named_outputs(result, list(program.interface.outputs))
    is_half = dtype in (torch.float16, torch.bfloat16)
    widened = {name: one.float() if is_half and one.is_floating_point() else one for name, one in named.items()}
    return {name: tensor.numpy() for name, tensor in widened.items()}


def module_runner(program: Program, dtype: DTypeName = "float32", *, widened: bool = False) -> Runner:
    """Return the emitted module of a program on weights that are rounded to `dtype`.

    It computes in `dtype`, or in float32 if it is `widened`.
    """
    module = load_module(program, dtype)
    module = module.float() if widened else module
    return FunctionRunner(function=lambda arrays: run_module(module, program, arrays))


def float_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a safetensors file as arrays; floats become float32, since NumPy has no bfloat16."""
    with read_weights(path) as file:
        widened = {name: t.float() if t.is_floating_point() else t for name, t in file.items()}
    return {name: tensor.numpy() for name, tensor in widened.items()}


def explained(moved: float, one: OutputDifference) -> float:
    """How far an output may be off where what it is rounded from leaves open so much, relative to its largest value."""
    return min(TWICE * moved / max(1.0, one.scale), MOST)


def measured(name: str, found: NDArray[Any], expected: NDArray[Any]) -> OutputDifference:
    """Return how far an output is from its reference, over all positions."""
    apart = difference(found, expected)
    return OutputDifference(output=name, largest=apart.largest, scale=apart.scale)
