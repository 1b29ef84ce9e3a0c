"""A tiny code generator for one primitive, so that its emitted source can be run beside its reference."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.op import Primitive
from archspec.ir.types import TensorType


class OneEmitter:
    """Writes the body of one function; sizes are looked up in a map of run-time sizes."""

    training = "training"

    def __init__(self, types: Sequence[TensorType]) -> None:
        self.types = types
        self.lines: list[str] = []
        self.helpers: list[str] = []
        self._names: set[str] = set()

    def size(self, dim: Dim) -> str:
        return dim.spelled(lambda name: f"sizes[{name!r}]")

    def shared_size(self, dim: Dim, axis: int) -> str:
        return self.size(dim)

    def number(self, value: Scalar) -> str:
        return value.python(self.size)

    def assign(self, hint: str, source: str) -> str:
        name = hint
        while name in self._names:
            name += "_"
        self._names.add(name)
        self.lines.append(f"{name} = {source}")
        return name

    def helper(self, source: str) -> str:
        if source not in self.helpers:
            self.helpers.append(source)
        found = re.search(r"^(?:def|class) (\w+)", source, re.MULTILINE)
        assert found is not None
        return found[1]


def write(op: Primitive, types: Sequence[TensorType], parameters: Sequence[str] = ()) -> str:
    """A module-level function `forward(x0, x1, ..., p_weight, ..., sizes, training)` that holds the emitted code."""
    e = OneEmitter(types)
    inputs = [f"x{number}" for number in range(len(types))]
    names = {name: f"p_{name}" for name in parameters}
    results = op.emit(e, inputs, names)
    lines = [*e.lines, f"return ({', '.join(results)},)"]
    arguments = ", ".join([*inputs, *names.values(), "sizes", "training"])
    body = "".join(f"    {line}\n" for line in lines)
    return "\n\n".join([*e.helpers, f"def forward({arguments}):\n{body}"])


def run(
    op: Primitive,
    types: Sequence[TensorType],
    operands: Sequence[torch.Tensor],
    parameters: Mapping[str, torch.Tensor] | None = None,
    sizes: Mapping[str, int] | None = None,
    training: bool = False,
) -> tuple[torch.Tensor, ...]:
    """Emit the op and run what it wrote."""
    parameters = parameters or {}
    forward = compiled(op, types, list(parameters))
    result: tuple[torch.Tensor, ...] = forward(*operands, *parameters.values(), sizes or {}, training)
    return result


def compiled(op: Primitive, types: Sequence[TensorType], parameters: Sequence[str] = ()) -> Any:
    """The function that `write` writes."""
    space: dict[str, Any] = {"torch": torch, "Tensor": torch.Tensor, "F": F, "nn": nn, "math": math}
    exec(write(op, types, parameters), space)
    return space["forward"]
