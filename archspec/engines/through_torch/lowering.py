"""Convert an emitted module to a TensorRT network with Torch-TensorRT's converters, without a GPU.

Torch-TensorRT builds on a CUDA host only: on import and during conversion it asks which GPU there is. Nothing that it
makes depends on the answer except the choice of tactics, which TensorRT-RTX leaves to the host that runs the engine.
This file supplies the answer. It uses internals of Torch-TensorRT, so exactly one minor version is supported. Remove it
when Torch-TensorRT builds for named GPUs itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from archspec.diagnostics import SpecError, fail
from archspec.engines.module import port_dtype
from archspec.engines.profiles import declared, shapes
from archspec.engines.scopes import Placed
from archspec.engines.through_torch.repairs import promoting_soundly
from archspec.model.ports import DTypeName, Interface
from archspec.record import record

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from archspec.engines.rtx.log import RecordingLogger

VERSION = "2.13"
"""The only version of Torch-TensorRT whose internal interface this file supports."""
ANY_CAPABILITY = (8, 9)
_FAILURES = (RuntimeError, ValueError, TypeError, AssertionError, AttributeError, KeyError, IndexError)


@record
class Lowered:
    """A TensorRT network with the program's input and output names, its builder, and counts of operators.

    `owner` holds the weights that the network points to: keep it until the engine is built.
    """

    network: Any
    builder: Any
    owner: Any
    converted: int
    operators: int


def lower(source: Path, interface: Interface, dtype: DTypeName, logger: RecordingLogger) -> Lowered:
    """Convert every operator of an exported program (a file of torch.export) into one network.

    Raises SpecError E604 for another version of Torch-TensorRT, E606 for operators without a converter, a converter
    that fails, and any error that TensorRT logs.
    """
    check_version()
    with a_gpu_is_named(), promoting_soundly():
        return _lower(source, interface, dtype, logger)


def check_version() -> None:
    """Raise SpecError E604 if the installed Torch-TensorRT is not the supported version."""
    found = version("torch-tensorrt-rtx")
    if not found.startswith(f"{VERSION}."):
        help = f"pip install 'torch-tensorrt-rtx=={VERSION}.*'"
        message = f"building without a GPU works with torch-tensorrt-rtx {VERSION}, not {found}"
        fail("E604", message, None, help=help)


@contextlib.contextmanager
def a_gpu_is_named() -> Iterator[None]:
    """Answer Torch-TensorRT's questions about the GPU for the time of the context."""
    with (
        patch("torch.cuda.get_device_capability", lambda *_: ANY_CAPABILITY),
        patch("torch.cuda.current_device", lambda: 0),
    ):
        yield


def _lower(source: Path, interface: Interface, dtype: DTypeName, logger: RecordingLogger) -> Lowered:
    """Convert the program; the patches of `lower` must be active."""
    from torch_tensorrt.dynamo import partitioning
    from torch_tensorrt.dynamo.conversion import _TRTInterpreter
    from torch_tensorrt.dynamo.conversion._conversion import infer_module_output_dtypes

    settings = _settings()
    graph, flat = _lowered_graph(source, interface, dtype, settings)
    converted, total = partitioning.get_graph_converter_support(graph, set())
    with patch.object(_TRTInterpreter, "TRT_LOGGER", logger):
        interpreter = _TRTInterpreter.TRTInterpreter(
            graph,
            flat,
            output_dtypes=infer_module_output_dtypes(graph, truncate_double=False),
            compilation_settings=settings,
        )
    missing = sorted(interpreter.validate_conversion())
    if missing or converted != total:
        message = f"Torch-TensorRT converts {converted} of {total} operators"
        fail("E606", message, None, notes=[f"no converter: {name}" for name in missing])
    try:
        interpreter._construct_trt_network_def()
    except _FAILURES as error:
        notes = (*str(error).strip().splitlines()[:1], *logger.errors)
        raise SpecError([_at(str(interpreter._cur_node_name), notes)]) from None
    logger.raise_if_errors("converting the program")
    network = interpreter.ctx.net
    # Engines are opened by the program's names, not those of the traced values.
    for index, port in enumerate(interface.input_ports):
        network.get_input(index).name = port.name
    for index, name in enumerate(interface.outputs):
        network.get_output(index).name = name
    return Lowered(
        network=network, builder=interpreter.builder, owner=interpreter, converted=converted, operators=total
    )


def _at(node: str, notes: tuple[str, ...]) -> Placed:
    """Return E606 for an operation that could not be converted.

    `module.states.layers.0.attention/softmax` belongs to the module `states.layers.0.attention`.
    """
    module, _, operation = node.removeprefix("module.").rpartition("/")
    message = f"Torch-TensorRT failed to convert the program, at the operation `{operation}` of `{module}`"
    steps = module.split(".")
    scopes = (*(".".join(steps[: count + 1]) for count in range(len(steps))), operation)
    return Placed(code="E606", message=message, notes=notes, scopes=scopes)


def _lowered_graph(
    source: Path, interface: Interface, dtype: DTypeName, settings: Any
) -> tuple[GraphModule, list[Any]]:
    """Return the program lowered as Torch-TensorRT does before conversion, and its inputs in order.

    The inputs have their smallest, typical and largest shapes.
    """
    import torch
    from torch_tensorrt import Input
    from torch_tensorrt.dynamo.lowering import get_decompositions, post_lowering, pre_export_lowering
    from torch_tensorrt.dynamo.utils import get_flat_args_with_check

    ports = interface.input_ports
    exported = pre_export_lowering(torch.export.load(source), settings)
    exported = exported.run_decompositions(get_decompositions(False, settings.decompose_attention, False))
    ranges = shapes(ports, declared(interface.symbols))
    given = [
        Input(min_shape=least, opt_shape=typical, max_shape=largest, dtype=port_dtype(port, dtype), name=port.name)
        for port in ports
        for least, typical, largest in (ranges[port.name],)
    ]
    flat, _ = get_flat_args_with_check(exported, given, {})
    return post_lowering(exported.module(), settings), flat


def _settings() -> Any:
    """Return the settings of a CUDA host: every operator in one engine, and no mask treated as causal."""
    from torch_tensorrt.dynamo import CompilationSettings

    return CompilationSettings(
        assume_dynamic_shape_support=True,
        attn_bias_is_causal=False,
        disable_tf32=True,
        immutable_weights=True,
        min_block_size=1,
        require_full_compilation=True,
        truncate_double=False,
    )
