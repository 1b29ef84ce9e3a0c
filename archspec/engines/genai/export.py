"""Export the step of a decoder for ONNX Runtime GenAI."""

from __future__ import annotations

from pathlib import Path

from archspec.engines.export import weight_bytes, write_onnx
from archspec.engines.genai.attention import grouped_attention
from archspec.engines.genai.form import GenaiForm
from archspec.engines.module import example_inputs, load_module
from archspec.engines.program import Program
from archspec.model.ports import DTypeName, Interface
from archspec.model.sizes import example, is_fixed


def export_genai(program: Program, form: GenaiForm, dtype: DTypeName, path: Path) -> None:
    """Write the step as an ONNX file; `program` is that of the emitted `form.step`.

    Raises SpecError E607 for weights that do not fit, E527 for weights that overflow.
    """
    import torch

    from archspec.engines.genai.by_layer import StepByLayer, without_stacks

    module, ports = load_module(program, dtype), form.interface.input_ports
    inputs = example_inputs(ports, example(form.interface.symbols), dtype)
    # The mask has as many entries as the past and the new ones together, which no dim of torch's own can say.
    axes = tuple(_varying(form.interface, port.name) for port in ports)
    # `*past` is one argument of `forward` to torch: a tuple.
    shapes = (*axes[:2], axes[2:])
    with torch.no_grad():
        exported = torch.export.export(StepByLayer(module, _numbers(form)).eval(), inputs, dynamic_shapes=shapes)
    written = {torch.ops.aten.scaled_dot_product_attention.default: grouped_attention}
    write_onnx(without_stacks(exported), form.interface, dtype, path, weight_bytes(module), written)


def _varying(interface: Interface, name: str) -> dict[int, object]:
    """Return the axes of an input whose size varies; torch finds how they depend on each other."""
    from torch.export import Dim

    shape = interface.inputs[name].type.shape
    return {k: Dim.AUTO for k, size in enumerate(shape) if any(not is_fixed(one) for one in size.symbols())}


def _numbers(form: GenaiForm) -> list[tuple[int, ...] | int]:
    """Return the numbers of the past keys and values that each input of the step takes."""
    number = {name: place for place, name in enumerate(form.pasts)}
    found = [tuple(number[slot.past] for slot in stack.slots) for stack in form.stacks]
    return [one if stack.stacked else one[0] for stack, one in zip(form.stacks, found, strict=True)]
