"""Export an emitted module to an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.engines import dequantising
from archspec.engines.dequantising import look_up_values, name_weights, store_weights
from archspec.engines.dynamic import dynamic_shapes
from archspec.engines.engine import OPSET
from archspec.engines.exchanges import name_exchanges
from archspec.engines.folded import keep_dtype
from archspec.engines.module import example_inputs, load_module, named_arguments
from archspec.engines.ort.products import product
from archspec.engines.program import Program
from archspec.engines.quick_export import quickly
from archspec.engines.rounded_values import name_rounding
from archspec.engines.scopes import SCOPES
from archspec.engines.tracing import traced
from archspec.engines.wrapping import unwrap
from archspec.model.ports import DTypeName, Interface, Port
from archspec.model.sizes import example

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

EXTERNAL_BYTES = 100_000_000
"""Larger weights are written to a separate file: a protobuf is built in memory and is limited to 2 GB."""


def export_onnx(program: Program, dtype: DTypeName, path: Path) -> None:
    """Write the program as an ONNX file at opset 18, with weights in `dtype`.

    Inputs and outputs have the names of the interface, and their axes those of the spec's dims. Large weights are
    written to a second file next to `path`. Raises SpecError E607 for weights that do not fit, E527 for weights that
    overflow, E608 for an axis that cannot be exported.
    """
    import torch

    module = load_module(program, dtype)
    if program.ranks > 1:
        name_exchanges(module, program.ranks)
    ports, partial = program.interface.input_ports, program.partial
    stored = name_weights(module) | name_rounding(module)
    # Runtimes join a quantised weight with `MatMul` alone, where the exporter writes `Gemm` for x [b, i].
    translations = {torch.ops.aten.linear.default: product} if stored else None
    exported = exported_program(module, ports, program.interface, dtype, partial=partial)
    write_onnx(
        exported,
        program.interface,
        dtype,
        path,
        weight_bytes(module),
        translations=translations,
        change=look_up_values if stored else None,
        stored=stored,
    )


def write_onnx(
    exported: ExportedProgram,
    interface: Interface,
    dtype: DTypeName,
    path: Path,
    size: int,
    translations: Mapping[Any, Callable[..., Any]] | None = None,
    change: Callable[[Any], None] | None = None,
    metadata: Mapping[str, str] | None = None,
    stored: bool = False,
) -> None:
    """Write an exported program with the inputs and outputs of an interface.

    `size` is that of its weights in bytes; `translations` write operators of torch otherwise than the exporter does,
    and `change` rewrites the graph before it is written, with `metadata` in the file. `stored` says that weights are
    integers, which takes a later opset.
    """
    import torch

    with quickly():
        written = torch.onnx.export(
            exported,
            (),
            dynamo=True,
            opset_version=dequantising.OPSET if stored else OPSET,
            input_names=list(interface.inputs),
            output_names=list(interface.outputs),
            custom_translation_table=dict(translations or {}),
            verbose=False,
        )
    # With `dynamo` the exporter returns a program; its annotation also covers the older exporter.
    assert written is not None
    keep_dtype(written.model.graph, dtype)
    unwrap(written.model.graph)
    if change is not None:
        change(written.model.graph)
    if stored:
        store_weights(written.model.graph)
    _tidy(written.model, interface)
    written.model.metadata_props.update(metadata or {})
    written.save(path, external_data=size > EXTERNAL_BYTES)


def exported_program(
    module: nn.Module, ports: tuple[Port, ...], interface: Interface, dtype: DTypeName, *, partial: bool = False
) -> ExportedProgram:
    """Trace the module with torch.export, dynamic in every dim that varies.

    `ports` are the inputs in the order of the emitted `forward`; `partial` says that it is a part of a model.
    Raises SpecError E608.
    """
    # By name, since the emitted `forward` has keyword-only arguments for inputs with defaults.
    inputs = named_arguments(module, example_inputs(ports, example(interface.symbols), dtype))
    return traced(module, inputs, dict(zip(inputs, dynamic_shapes(ports), strict=True)), partial=partial)


def weight_bytes(module: nn.Module) -> int:
    """Return the bytes of parameters and buffers; shared tensors count once."""
    return sum(tensor.nbytes for tensor in {*module.parameters(), *module.buffers()})


def _tidy(model: Any, interface: Interface) -> None:
    """Remove metadata of the trace, except the scopes of nodes, and write the spec's dims as shapes."""
    # Traces contain folders of this machine, and the tracer's names of sizes mean nothing to a reader.
    ports = {port.name: port for port in (*interface.input_ports, *interface.output_ports)}
    _rename_inner_values(model.graph)
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph.all_nodes():
        kept = node.metadata_props.get(SCOPES)
        node.metadata_props.clear()
        if kept is not None:
            node.metadata_props[SCOPES] = kept
        for value in node.outputs:
            value.metadata_props.clear()
            value.shape = None
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.metadata_props.clear()
        value.shape = _shape(ports[value.name])


def _rename_inner_values(graph: Any) -> None:
    """Rename inner values that have the name of an input or output."""
    # The exporter names values after operators: an inner value may have the name of an output, `embedding`.
    outer = [*graph.inputs, *graph.outputs]
    taken = {value.name for value in outer}
    inner = [value for node in graph.all_nodes() for value in node.outputs if value not in outer]
    # A list, because renaming changes the map that is walked.
    for value in (*inner, *list(graph.initializers.values())):
        if value.name in taken:
            value.name = f"{value.name}.inner"


def _shape(port: Port) -> Any:
    """Return the shape of a port with its dims by name."""
    import onnx_ir

    return onnx_ir.Shape([dim.constant if dim.is_constant else str(dim) for dim in port.type.shape])
