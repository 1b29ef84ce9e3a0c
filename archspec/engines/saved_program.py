"""Export an emitted module to a file of torch.export, from which inductor compiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archspec.engines.dynamic import dynamic_shapes
from archspec.engines.module import example_inputs, load_module, named_arguments, named_outputs
from archspec.engines.program import Program
from archspec.engines.tracing import traced
from archspec.model.ports import DTypeName
from archspec.model.sizes import example

if TYPE_CHECKING:
    from torch import Tensor, nn


def save_program(program: Program, dtype: DTypeName, path: Path) -> None:
    """Write the traced module with its weights in `dtype` to `path`, dynamic in every dim that varies.

    The program takes its inputs in the order of the interface and returns a tuple. Raises SpecError E607, E527 or E608.
    """
    import torch

    interface = program.interface
    ports = interface.input_ports
    module = _flat(load_module(program, dtype), tuple(interface.outputs))
    inputs = example_inputs(ports, example(interface.symbols), dtype)
    torch.export.save(traced(module, inputs, (dynamic_shapes(ports),)), path)


def _flat(module: nn.Module, names: tuple[str, ...]) -> nn.Module:
    """Wrap the module so that it returns a plain tuple.

    Whoever loads the program does not know the emitted file's own class of outputs.
    """
    from torch import nn

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *arguments: Tensor) -> tuple[Tensor, ...]:
            return tuple(named_outputs(self.module(**named_arguments(module, arguments)), names).values())

    return Flat()
