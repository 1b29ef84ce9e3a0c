"""Compute a plan with PyTorch on the CPU."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from archspec.diagnostics import fail
from archspec.engines.network.determined import determined
from archspec.engines.network.functions import UnsupportedError
from archspec.engines.network.layers import FUNCTIONS, MOVERS
from archspec.engines.network.plan import NetworkLayer, NetworkPlan, NetworkTensor
from archspec.record import record

Precision = Literal["declared", "exact"]
"""`declared`: each layer computes in float32 and its result is rounded to the type that the network declares, as tensor
cores do; `exact`: all floats are float64."""

DTYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "INT4": torch.int8,
    "INT8": torch.int8,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "BOOL": torch.bool,
    "FP8": torch.float8_e4m3fn,
    "UINT8": torch.uint8,
}
EXCHANGE = "DIST_COLLECTIVE"
"""The kind of layer at which ranks exchange values."""
_HALVES = (torch.float16, torch.bfloat16)
_MOST_SHAPES = 8
_MOST_KEPT = 4096
"""Larger float arrays are weights and are not kept, because a second copy would take too much memory."""
_CONVERTERS = {"CAST", "IDENTITY"}
_FAILURES = (RuntimeError, ValueError, TypeError, IndexError)


@record(eq=False)
class Exchange:
    """A layer at which a rank waits for the others, and what it gives them."""

    step: NetworkLayer
    value: Tensor


class Execution:
    """A plan that can be computed any number of times.

    Results that depend on the shapes of the inputs only are kept for up to eight sets of shapes.
    """

    def __init__(self, plan: NetworkPlan, precision: Precision = "declared") -> None:
        self.plan = plan
        self.precision: Precision = precision
        self._dead = _last_uses(plan)
        self._determined = determined(plan)
        self._known: dict[object, dict[int, tuple[Tensor, ...]]] = {}

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return outputs by name, from tensors by input name.

        Raises SpecError E620 or E621 for the first layer that cannot be computed; a layer that exchanges values with
        other ranks is one (see `archspec.engines.network.ranks`).
        """
        running = self.exchanging(inputs)
        try:
            exchange = next(running)
        except StopIteration as finished:
            found: dict[str, Tensor] = finished.value
            return found
        return fail(
            "E620", f"the {exchange.step} cannot be computed here: it needs the networks of the other ranks", None
        )

    def exchanging(self, inputs: Mapping[str, Tensor]) -> Generator[Exchange, Sequence[Tensor], dict[str, Tensor]]:
        """Run as `run` does, and yield at every exchange, to be sent what all ranks have.

        Raises SpecError E620 or E621 for the first layer that cannot be computed.
        """
        values: dict[int, Tensor] = {}
        for number in self.plan.inputs:
            wire = self.plan.wires[number]
            values[number] = inputs[wire.name].to(self.dtype(wire))
        known = self._kept(tuple(tuple(values[number].shape) for number in self.plan.inputs))
        for place, (step, dead) in enumerate(zip(self.plan.steps, self._dead, strict=True)):
            results = known.get(place)
            if results is None and step.kind == EXCHANGE:
                (given,) = (values[one] for one in step.inputs if one is not None)
                results = self.step(step, (yield Exchange(step=step, value=given)))
            elif results is None:
                results = self.step(step, [None if one is None else values[one] for one in step.inputs])
                if place in self._determined and all(_is_small(result) for result in results):
                    known[place] = results
            values.update(zip(step.outputs, results, strict=True))
            # Freed at the last use: otherwise a large network would hold every intermediate result.
            for number in dead:
                values.pop(number, None)
        return {self.plan.wires[number].name: values[number] for number in self.plan.outputs}

    def _kept(self, shapes: object) -> dict[int, tuple[Tensor, ...]]:
        """Return the kept results for inputs of these shapes, by position of the step."""
        # Without a limit, the results for every set of shapes ever used would stay in memory.
        if shapes not in self._known and len(self._known) == _MOST_SHAPES:
            self._known.clear()
        return self._known.setdefault(shapes, {})

    def step(self, step: NetworkLayer, arguments: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        """Return the results of one layer, in the types and shapes that the network declares.

        Raises SpecError E620 for a layer that is not supported, E621 for one that fails or has another shape or type.
        """
        # Half precision is computed in float32 and rounded once, as tensor cores do.
        given = arguments if step.kind in MOVERS else [_widened(one) for one in arguments]
        try:
            found = FUNCTIONS[step.kind](step.attributes, *given)
        except UnsupportedError as error:
            fail("E620", f"the {step} cannot be computed here: {error}", None)
        except _FAILURES as error:
            shapes = ", ".join("none" if one is None else f"{list(one.shape)}" for one in arguments)
            notes = [f"{type(error).__name__}: {str(error).strip().splitlines()[0]}", f"its inputs have {shapes}"]
            fail("E621", f"the {step} fails", None, notes=notes)
        results = found if isinstance(found, tuple) else (found,)
        wires = [self.plan.wires[number] for number in step.outputs]
        return tuple(self._declared(step, result, wire) for result, wire in zip(results, wires, strict=True))

    def dtype(self, wire: NetworkTensor) -> torch.dtype:
        """Return the type in which a tensor is held: the declared one, or float64 for floats in the precision `exact`.

        Raises SpecError E620 for a type without a counterpart in torch.
        """
        if wire.dtype not in DTYPES:
            fail("E620", f"the tensor `{wire.name}` cannot be computed here: it is {wire.dtype}", None)
        found = DTYPES[wire.dtype]
        return torch.float64 if self.precision == "exact" and found.is_floating_point else found

    def _declared(self, step: NetworkLayer, result: Tensor, wire: NetworkTensor) -> Tensor:
        """Return a result in its declared type.

        Raises SpecError E621 if its shape is not as declared, or if it is a float where none is declared or the
        reverse; casts may change that.
        """
        dtype = self.dtype(wire)
        if step.kind not in _CONVERTERS and result.is_floating_point() != dtype.is_floating_point:
            fail("E621", f"the {step} gives {result.dtype}, TensorRT declares {wire.dtype}", None)
        if wire.shape is not None and not _fits(result.shape, wire.shape):
            fail("E621", f"the {step} gives {list(result.shape)}, TensorRT declares {list(wire.shape)}", None)
        return result.to(dtype)


def _is_small(tensor: Tensor) -> bool:
    """Whether a result may be kept: small, or not float."""
    return tensor.numel() <= _MOST_KEPT or not tensor.is_floating_point()


def _widened(tensor: Tensor | None) -> Tensor | None:
    """Return half precision as float32, other tensors unchanged."""
    return tensor.float() if tensor is not None and tensor.dtype in _HALVES else tensor


def _fits(shape: Sequence[int], declared: Sequence[int]) -> bool:
    """Whether a shape is as declared, where -1 admits any size."""
    return len(shape) == len(declared) and all(
        wanted in (size, -1) for size, wanted in zip(shape, declared, strict=True)
    )


def _last_uses(plan: NetworkPlan) -> list[list[int]]:
    """Return for each step the tensors that no later step reads; outputs of the network are not among them."""
    last: dict[int, int] = {}
    for place, step in enumerate(plan.steps):
        # An output that nothing reads dies where it is made.
        for number in (*step.outputs, *(one for one in step.inputs if one is not None)):
            last[number] = place
    dead: list[list[int]] = [[] for _ in plan.steps]
    for number, place in last.items():
        if number not in plan.outputs:
            dead[place].append(number)
    return dead
