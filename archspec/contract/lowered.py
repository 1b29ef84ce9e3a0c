"""A network of TensorRT as a subject, computed on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from archspec.contract.gradients import by_position
from archspec.contract.protocol import Array, Arrays, Subject
from archspec.contract.torch_module import array_of
from archspec.engines.network.execution import Execution, Precision
from archspec.engines.network.plan import Plan, Step


class NetworkRunner:
    """Runs a plan on arrays; half precision comes back as float32."""

    def __init__(self, plan: Plan, precision: Precision = "declared") -> None:
        self.inputs = plan.names(plan.inputs)
        self.outputs = plan.names(plan.outputs)
        self.execution = Execution(plan, precision)

    def run(self, inputs: Arrays) -> dict[str, Array]:
        """Outputs by name. Raises SpecError E620 or E621."""
        with torch.no_grad():
            found = self.execution.run({name: torch.from_numpy(array) for name, array in inputs.items()})
        return {name: array_of(tensor) for name, tensor in found.items()}


def network_subject(name: str, plan: Plan) -> Subject:
    """A network as the contract judges it: as declared, in float64, and by its gradients there."""
    exact = NetworkRunner(plan, "exact")
    return Subject(name=name, runner=NetworkRunner(plan), exact=exact, gradients=lambda: _Gradients(plan))


class _Gradients:
    """Gradients of a network in float64, for float inputs, and for ids at what is looked up by them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def dependence(
        self, arrays: Arrays, source: tuple[str, Sequence[int]], result: tuple[str, Sequence[int]], seed: int
    ) -> Array | None:
        """Which output positions depend on which input positions, in some row: bool [outputs, inputs]."""
        (name, inputs), (output, outputs) = source, result
        tensors = {one: torch.from_numpy(array.copy()) for one, array in arrays.items()}
        execution = _Tapped(self._plan, lookups(self._plan, name))
        if tensors[name].is_floating_point():
            tensors[name] = tensors[name].double().requires_grad_()
            execution.leaves.append(tensors[name])
        found = execution.run(tensors)[output]
        if not execution.leaves or not found.requires_grad:
            return None
        return by_position(found, execution.leaves, inputs, outputs, seed)


class _Tapped(Execution):
    """Adds a zero to what is looked up by ids, through which gradients reach them."""

    def __init__(self, plan: Plan, lookups: Sequence[Step]) -> None:
        super().__init__(plan, "exact")
        self.lookups = lookups
        self.leaves: list[Tensor] = []

    def step(self, step: Step, arguments: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        """The results of one layer."""
        results = super().step(step, arguments)
        if not any(step is one for one in self.lookups):
            return results
        zero = torch.zeros_like(results[0], requires_grad=True)
        self.leaves.append(zero)
        return (results[0] + zero,)


def lookups(plan: Plan, name: str) -> tuple[Step, ...]:
    """The layers that look rows of a table up by an integer input, one row for each of its values."""
    makers: Mapping[int, Step] = {number: step for step in plan.steps for number in step.outputs}
    wanted = next(number for number in plan.inputs if plan.wires[number].name == name)
    floats = {number for number, wire in enumerate(plan.wires) if wire.dtype in ("FLOAT", "HALF", "BF16")}
    rows = [
        step
        for step in plan.steps
        if step.kind == "GATHER" and step.attributes["mode"] == "DEFAULT" and step.attributes["axis"] == 0
    ]
    return tuple(step for step in rows if step.inputs[0] in floats and _origin(step.inputs[1], makers) == wanted)


def _origin(number: int | None, makers: Mapping[int, Step]) -> int | None:
    while number is not None and number in makers and makers[number].kind in ("CAST", "IDENTITY"):
        number = makers[number].inputs[0]
    return number
