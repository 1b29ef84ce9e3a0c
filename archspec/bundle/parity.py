"""An artifact against the module and against the interpreter, on the same weights and random inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analyses.cost import cost
from archspec.bundle.inputs import prepare
from archspec.bundle.report import Difference, Reference, Trial
from archspec.bundle.sample import sample
from archspec.engines.engine import DTypeName, Runner, Target
from archspec.engines.interface import Interface
from archspec.engines.module import forward_order, load_module, named_outputs
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, target_of
from archspec.engines.sizes import minimum, odd, typical
from archspec.oracle.interpreter import interpret
from archspec.spec import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from archspec.ir.graph import Graph

    Arrays = Mapping[str, NDArray[Any]]

SEED = 7
MOST_FLOPS = 500_000_000_000
"""A trial dearer than this is left out: the module and the artifact would run for minutes on a CPU."""
MOST_PARAMETERS = 150_000_000
MOST_EXACT_FLOPS = 50_000_000_000
"""The interpreter computes in float64 and keeps every parameter so: for larger models it is left out."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """An opened artifact, and what it is held against."""

    target: str
    dtype: DTypeName
    runner: Runner
    program: Program
    graph: Graph

    def trials(self) -> Iterator[Trial | str]:
        """Every comparison that is affordable, and a line for each that is not; within the artifact's profiles."""
        admitted = [interface.symbols for interface in self._interfaces()]
        points = [choose(symbols) for symbols in admitted for choose in (minimum, odd, typical)]
        flops = cost(self.graph).flops
        module = load_module(self.program, "float32")
        for sizes in [point for index, point in enumerate(points) if point not in points[:index]]:
            if flops.value(sizes) > MOST_FLOPS:
                yield f"{self.target} at {shown(sizes)}: {flops.value(sizes):.2g} FLOPs are too many for a check"
                continue
            yield self._trial("module", sizes, lambda inputs: run_module(module, self.program, inputs))
        yield self._against_interpreter([choose(symbols) for symbols in admitted for choose in (odd, minimum)])

    def _interfaces(self) -> list[Interface]:
        """What the artifact was built for: one interface for each profile that binds it."""
        whole, profiles = self.program.interface, self.program.profiles
        bound = engine_of(target_of(self.target)).profiled and profiles
        return [whole.narrowed(profile) for profile in profiles] if bound else [whole]

    def _against_interpreter(self, points: list[dict[str, int]]) -> Trial | str:
        counted = cost(self.graph)
        affordable = [point for point in points if counted.flops.value(point) <= MOST_EXACT_FLOPS]
        if counted.parameters > MOST_PARAMETERS or not affordable:
            return f"{self.target} against the interpreter: the model is too large for float64 on a CPU"
        sizes = affordable[0]
        parameters = float_arrays(self.program.weights)
        return self._trial("interpreter", sizes, lambda inputs: interpret(self.graph, inputs, parameters, sizes))

    def _trial(self, reference: Reference, sizes: dict[str, int], run: Any) -> Trial:
        interface = self.program.interface
        inputs = sample(interface, sizes, SEED)
        expected, found = run(inputs), self.runner.run(prepare(interface, inputs, self.dtype))
        differences = [difference(name, found[name], expected[name]) for name in interface.outputs]
        return Trial(
            artifact=self.target,
            dtype=self.dtype,
            reference=reference,
            sizes=sizes,
            seed=SEED,
            differences=differences,
        )


def contest(target: Target, dtype: DTypeName, file: Path, program: Program, spec: Path) -> Contest:
    """Open an artifact beside the program that it was built from, and the spec's graph."""
    runner = engine_of(target).open(file, program.interface)
    return Contest(target=str(target), dtype=dtype, runner=runner, program=program, graph=load(spec).graph)


def run_module(module: Any, program: Program, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """The emitted module's outputs, on all inputs."""
    import torch

    ports = forward_order(program.interface.input_ports)
    with torch.inference_mode():
        result = module(*(torch.from_numpy(inputs[port.name]) for port in ports))
    return {name: tensor.numpy() for name, tensor in named_outputs(result, list(program.interface.outputs)).items()}


def float_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file; half precision widened, for NumPy has no bfloat16."""
    from safetensors.torch import load_file

    widened = {name: t.float() if t.is_floating_point() else t for name, t in load_file(path).items()}
    return {name: tensor.numpy() for name, tensor in widened.items()}


def difference(name: str, found: NDArray[Any], expected: NDArray[Any]) -> Difference:
    """How far an output is from its reference; a value that is not finite on one side alone is infinitely far."""
    import numpy as np

    if found.shape != expected.shape:
        return Difference(output=name, largest=float("inf"), scale=0.0)
    if found.dtype.kind != "f":
        return Difference(output=name, largest=float(np.mean(found != expected)) if found.size else 0.0, scale=1.0)
    one, other = found.astype(np.float64), expected.astype(np.float64)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(one - other))
    scale = float(np.max(np.abs(other), initial=0.0, where=np.isfinite(other)))
    return Difference(
        output=name, largest=float(np.where(np.isnan(apart), np.inf, apart).max(initial=0.0)), scale=scale
    )


def shown(sizes: Mapping[str, int]) -> str:
    """Sizes for a reader: `batch=3, tokens=5`."""
    return ", ".join(f"{name}={size}" for name, size in sizes.items())
