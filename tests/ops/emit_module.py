"""A file with one op in it, its parameters held by a module: what the contract test runs and exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from archspec.algebra.dim import Dim
from archspec.ir.op import BUFFERS
from archspec.ir.types import DType
from tests.ops.case import Case
from tests.ops.emit_one import OneEmitter

_FILE = """\
import math

import torch
import torch.nn.functional as F
from torch import nn

{helpers}

class Model(nn.Module):
    def __init__(self, parameters, buffers):
        super().__init__()
        for name, value in parameters.items():
            self.register_parameter(name, nn.Parameter(value))
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def forward(self, {operands}):
{lines}
        return ({results},)
"""


class FromShapes(OneEmitter):
    """Sizes are read off the operands' shapes; one that no operand shows is written as a number."""

    training = "self.training"

    def __init__(self, case: Case, operands: Sequence[str]) -> None:
        super().__init__(case.inputs)
        self._sizes = case.sizes
        self._shown = {
            dim: f"{name}.shape[{k}]"
            for name, type_ in zip(operands, case.inputs, strict=True)
            for k, dim in enumerate(type_.shape)
            if not dim.is_constant
        }

    def size(self, dim: Dim) -> str:
        if dim in self._shown:
            return self._shown[dim]
        names = {symbol.name: self._shown.get(Dim.of(symbol)) for symbol in dim.symbols()}
        if None in names.values():
            return str(dim.value(self._sizes))
        return dim.spelled(lambda name: str(names[name]))


def source_of(case: Case, *, inline: bool = False) -> str:
    """The file of a case; `inline` gives operands as expressions that need brackets."""
    names = [f"x{number}" for number in range(len(case.inputs))]
    e = FromShapes(case, names)
    operands = names
    if inline:
        doubled = {DType.BOOL: "{0} | {0}"}
        operands = [
            doubled.get(type_.dtype, "{0} + 0 * {0}").format(name)
            for name, type_ in zip(names, case.inputs, strict=True)
        ]
    parameters = {name: f"self.{name}" for name in case.op.parameters(*case.inputs)}
    results = case.op.emit(e, operands, parameters)
    return _FILE.format(
        helpers="\n".join(e.helpers),
        operands=", ".join(names),
        lines="\n".join(f"        {line}" for line in e.lines),
        results=", ".join(results),
    )


def module_of(case: Case, parameters: Mapping[str, np.ndarray], *, inline: bool = False) -> torch.nn.Module:
    """The emitted module in evaluation, with these parameters."""
    namespace: dict[str, Any] = {}
    exec(source_of(case, inline=inline), namespace)
    buffers = {name for name, spec in case.op.parameters(*case.inputs).items() if spec.role in BUFFERS}
    given = {name: torch.tensor(value) for name, value in parameters.items()}
    kept = {name: given.pop(name) for name in given.keys() & buffers}
    module = namespace["Model"](given, kept)
    assert isinstance(module, torch.nn.Module)
    return module.eval()


def layer_of(case: Case, parameters: Mapping[str, np.ndarray]) -> torch.nn.Module | None:
    """The module that is this op, if there is one."""
    source = case.op.layer(*case.inputs)
    if source is None:
        return None
    names = {"nn": torch.nn, "torch": torch, "F": torch.nn.functional, "Tensor": torch.Tensor}
    exec(case.op.layer_class, names)
    layer = eval(source, names).double().eval()
    assert isinstance(layer, torch.nn.Module)
    layer.load_state_dict({name: torch.tensor(value) for name, value in parameters.items()}, strict=True)
    return layer
