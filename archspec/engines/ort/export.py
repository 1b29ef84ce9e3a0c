"""Export the step of a decoder for ONNX Runtime, with the operators that it has for decoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.engines.dequantising import name_weights
from archspec.engines.export import exported_program, weight_bytes, write_onnx
from archspec.engines.module import load_module
from archspec.engines.ort.angles import AllAngles, are_fixed
from archspec.engines.ort.attention import GROUPED, HELPER, GroupedQueryAttention
from archspec.engines.ort.norms import join_sums, name_norms
from archspec.engines.ort.packing import pack_heads
from archspec.engines.ort.products import product
from archspec.engines.program import Program
from archspec.engines.rounded_values import name_rounding
from archspec.model.ports import DTypeName

ATTENTION = "archspec.attention"
"""The key of the file's metadata that names its operator of attention, whose demands the runner has to meet."""


def export_ort(program: Program, dtype: DTypeName, path: Path) -> None:
    """Write the program as `export_onnx` does, with operators of ONNX Runtime in place of what they compute.

    Raises SpecError E607 for weights that do not fit, E527 for weights that overflow, E608 for an axis that cannot be
    exported.
    """
    import torch

    module = load_module(program, dtype)
    # The functions of an emitted file are its own: another program has its own file.
    functions = type(module).forward.__globals__
    attention = (
        GroupedQueryAttention(functions[HELPER], AllAngles(functions, program.interface))
        if HELPER in functions
        else None
    )
    if attention is not None:
        # The traced module calls the helper by its name in the file, so it is replaced there.
        functions[HELPER] = attention
    name_norms(module)
    stored = name_weights(module) | name_rounding(module)
    ports, partial = program.interface.input_ports, program.partial
    exported = exported_program(module, ports, program.interface, dtype, partial=partial)
    # Steps of models whose angles depend on the length are not made, since their entries could not be kept.
    assert are_fixed(exported)
    write_onnx(
        exported,
        program.interface,
        dtype,
        path,
        weight_bytes(module),
        translations={torch.ops.aten.linear.default: product},
        change=_join,
        metadata={ATTENTION: GROUPED} if attention is not None and attention.used else {},
        stored=stored,
    )


def _join(graph: Any) -> None:
    """Let single operators do what several do."""
    join_sums(graph)
    pack_heads(graph)
