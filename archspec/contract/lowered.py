"""A TensorRT network as a subject of the contract, executed on the CPU by PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from archspec.contract.gradients import by_position
from archspec.contract.protocol import Asked, Positions, Precision, Subject
from archspec.contract.torch_module import array_of
from archspec.engines.network.execution import Execution
from archspec.engines.network.execution import Precision as Computing
from archspec.engines.network.plan import NetworkLayer, NetworkPlan
from archspec.engines.network.ranks import run_ranks
from archspec.model.runner import Array, Arrays

FLOAT32 = Precision(exact=1e-6)
"""The precision of a float32 network: its constants, such as scales and tables of angles, are rounded to float32."""
_BY_PLACE = ("CAST", "IDENTITY", "ELEMENTWISE", "SELECT")
QUANTIZE = "QUANTIZE"
"""The kind of layer that rounds."""
_LARGE = 100_000_000
"""Bytes of constants."""


class NetworkRunner:
    """Runs a network plan on arrays; outputs in half precision are returned as float32.

    The two most recent results are cached, because probes compare one changed input after another with the same
    unchanged one. This is safe because no supported layer is random.

    Args:
        plan: the network.
        precision: `declared` computes in the network's own dtypes, `exact` in float64.
        cached: whether results are cached; a step, whose state is large and never the same, has no use for it.
    """

    def __init__(self, plan: NetworkPlan, precision: Computing = "declared", *, cached: bool = True) -> None:
        self.inputs = plan.names(plan.inputs)
        self.outputs = plan.names(plan.outputs)
        self.execution = Execution(plan, precision)
        self.cached = cached
        self._last: list[tuple[Arrays, dict[str, Array]]] = []

    def run(self, inputs: Arrays) -> dict[str, Array]:
        """Outputs by name, from inputs by name. Raises SpecError E620 or E621."""
        if not self.cached:
            return self._run(inputs)
        kept = next((one for one in self._last if _same(one[0], inputs)), None)
        if kept is None:
            found = self._run(inputs)
            # Copies: the caller may change its arrays before the next run.
            kept = {name: array.copy() for name, array in inputs.items()}, found
        self._last = [kept, *(one for one in self._last if one is not kept)][:2]
        return dict(kept[1])

    def _run(self, inputs: Arrays) -> dict[str, Array]:
        with torch.no_grad():
            found = self.computed({name: torch.from_numpy(array) for name, array in inputs.items()})
        return {name: array_of(tensor) for name, tensor in found.items()}

    def computed(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, from tensors by input name."""
        return self.execution.run(inputs)


class RanksRunner(NetworkRunner):
    """Runs the networks of all ranks in step, and gives what the first rank does; see `each`."""

    def __init__(self, plans: Sequence[NetworkPlan], precision: Computing = "declared") -> None:
        super().__init__(plans[0], precision)
        self.executions = [self.execution, *(Execution(plan, precision) for plan in plans[1:])]

    def computed(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs of the first rank by name."""
        return run_ranks(self.executions, inputs)[0]

    def each(self, inputs: Arrays) -> list[dict[str, Array]]:
        """Outputs of every rank by name. Raises SpecError E620 or E621."""
        with torch.no_grad():
            found = run_ranks(self.executions, {name: torch.from_numpy(array) for name, array in inputs.items()})
        return [{name: array_of(tensor) for name, tensor in one.items()} for one in found]


def _same(kept: Arrays, given: Arrays) -> bool:
    return kept.keys() == given.keys() and all(np.array_equal(kept[name], given[name]) for name in kept)


def network_subject(name: str, plan: NetworkPlan, precision: Precision = FLOAT32) -> Subject:
    """A network as a subject: run as declared, run in float64, and with gradients.

    One that rounds is run in float64 alone: in float32, a number half-way between two of a grid may go to either.

    Args:
        name: the subject's name in reports.
        plan: the network.
        precision: how far its outputs may be from the interpreter's.
    """
    exact = NetworkRunner(plan, "exact")
    return Subject(
        name=name,
        runner=exact if rounds(plan) else NetworkRunner(plan),
        exact=exact,
        gradients=(_Gradients([plan]),),
        precision=precision,
    )


def ranks_subject(name: str, plans: Sequence[NetworkPlan], precision: Precision = FLOAT32) -> Subject:
    """The networks of all ranks as one subject, as `network_subject` makes one of a whole network."""
    return Subject(
        name=name,
        runner=RanksRunner(plans),
        exact=RanksRunner(plans, "exact"),
        gradients=(_Gradients(plans),),
        precision=precision,
    )


class _Gradients:
    """Gradients of networks with respect to float inputs, and for ids with respect to the rows that they look up.

    Several networks are those of ranks, whose outputs are equal.

    They are computed in float64. For a large network they are computed as declared and for the first row only, because
    a pass with gradients keeps all intermediate values, float64 copies of the weights included.
    """

    def __init__(self, plans: Sequence[NetworkPlan]) -> None:
        self._plans = plans

    def dependence(
        self, arrays: Arrays, source: Positions, result: Positions, seed: int, asked: Asked | None = None
    ) -> Array | None:
        """Which output positions depend on which input positions in at least one row; see `Differentiable`."""
        (name, inputs), (output, outputs) = source, result
        steps = (step for plan in self._plans for step in plan.steps)
        large = sum(step.attributes["weights"].nbytes for step in steps if step.kind == "CONSTANT") > _LARGE
        first = arrays[name].shape[:1] if large else None
        led = {one: array[:1] if array.ndim and array.shape[:1] == first else array for one, array in arrays.items()}
        tensors = {one: torch.from_numpy(array.copy()) for one, array in led.items()}
        computing: Computing = "declared" if large else "exact"
        executions = [_Tapped(plan, computing, lookups(plan, name)) for plan in self._plans]
        if tensors[name].is_floating_point():
            tensors[name] = (tensors[name] if large else tensors[name].double()).requires_grad_()
            executions[0].leaves.append(tensors[name])
        alone = len(executions) == 1
        found = (executions[0].run(tensors) if alone else run_ranks(executions, tensors)[0])[output]
        leaves = [leaf for execution in executions for leaf in execution.leaves]
        if not leaves or not found.requires_grad:
            return None
        return by_position(found, leaves, inputs, outputs, seed, asked)


class _Tapped(Execution):
    """Adds a zero tensor to the rows that ids look up: its gradient stands in for that of the ids, which have none."""

    def __init__(self, plan: NetworkPlan, precision: Computing, lookups: Sequence[NetworkLayer]) -> None:
        super().__init__(plan, precision)
        self.lookups = lookups
        self.leaves: list[Tensor] = []

    def step(self, step: NetworkLayer, arguments: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        """The results of one layer."""
        results = super().step(step, arguments)
        if step.kind == QUANTIZE:
            return (_straight(results[0], *arguments[:2]),)
        if not any(step is one for one in self.lookups):
            return results
        zero = torch.zeros_like(results[0], requires_grad=True)
        self.leaves.append(zero)
        return (results[0] + zero,)


def _straight(result: Tensor, x: Tensor | None, scale: Tensor | None) -> Tensor:
    """What was rounded, with the gradients of what it was rounded from, since rounding has none."""
    assert x is not None
    assert scale is not None
    quotient = x / scale
    return result.to(quotient.dtype) + (quotient - quotient.detach())


def rounds(plan: NetworkPlan) -> bool:
    """Whether a network rounds values that it computes."""
    return any(step.kind == QUANTIZE for step in plan.steps)


def lookups(plan: NetworkPlan, name: str) -> tuple[NetworkLayer, ...]:
    """The gather layers that look up rows of a float table by an input, directly or after it was changed in its places.

    Args:
        plan: the network.
        name: the name of an input of the plan.
    """
    makers: Mapping[int, NetworkLayer] = {number: step for step in plan.steps for number in step.outputs}
    wanted = next(number for number in plan.inputs if plan.wires[number].name == name)
    floats = {number for number, wire in enumerate(plan.wires) if wire.dtype in ("FLOAT", "HALF", "BF16")}
    # Other modes and axes do not look up rows of a table.
    rows = [
        step
        for step in plan.steps
        if step.kind == "GATHER" and step.attributes["mode"] == "DEFAULT" and step.attributes["axis"] == 0
    ]
    return tuple(step for step in rows if step.inputs[0] in floats and _leads(step.inputs[1], makers, wanted))


def _leads(number: int | None, makers: Mapping[int, NetworkLayer], wanted: int) -> bool:
    """Whether a wire is made of another one place by place, as the ids of a part of a table are of all ids."""
    if number == wanted:
        return True
    maker = makers.get(number) if number is not None else None
    return maker is not None and maker.kind in _BY_PLACE and any(_leads(one, makers, wanted) for one in maker.inputs)
