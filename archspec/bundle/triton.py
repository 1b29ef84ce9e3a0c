"""The layout `triton`: artifacts in a model repository of Triton Inference Server, inside the bundle.

Each artifact is a model, `triton/NAME/1/FILES`, with the `config.pbtxt` that Triton requires. The bundle can be checked
and opened as usual: only the location of its artifacts differs. `triton_step` adds the cached step of a decoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from archspec.algebra.dim import Dim, Symbol
from archspec.diagnostics import Collector
from archspec.engines.build import ARTIFACTS, BuiltArtifact
from archspec.engines.engine import Target
from archspec.engines.profiles import Range
from archspec.engines.program import Program
from archspec.ir.types import DType, TensorType
from archspec.model.ports import DTypeName, Interface, Port

Layout = Literal["bundle", "triton", "genai"]
REPOSITORY = "triton"
CONFIGURATION = "config.pbtxt"
VERSION = "1"
SERVED = {
    "onnx": 'platform: "onnxruntime_onnx"',
    "openvino": 'backend: "openvino"',
    "tensorrt-rtx": 'platform: "tensorrt_plan"',
}
"""The engines for whose artifacts Triton has a backend, with the lines that select the backend in a configuration."""
_NAMED = {DType.INT64: "TYPE_INT64", DType.INT32: "TYPE_INT32", DType.BOOL: "TYPE_BOOL"}
_FLOATS: dict[DTypeName, str] = {"float32": "TYPE_FP32", "float16": "TYPE_FP16", "bfloat16": "TYPE_BF16"}
_RTX = "a TensorRT-RTX engine: its backend must be built against exactly the TensorRT-RTX version in the manifest"


def check_served(targets: Sequence[Target]) -> None:
    """Raise SpecError with an E626 for each target that Triton has no backend for."""
    found = Collector()
    for target in targets:
        if target.engine not in SERVED:
            help = f"leave it out, or leave out `--layout triton`; Triton serves {', '.join(SERVED)}"
            found.error("E626", f"Triton has no backend for `{target}`", None, help=help)
    found.raise_if_errors()


def arrange(
    folder: Path, name: str, built: Sequence[BuiltArtifact], interface: Interface, dtype: DTypeName
) -> tuple[BuiltArtifact, ...]:
    """Move the artifacts of a bundle being written into a repository, and write their configurations.

    `name` is the spec's name. Returns the artifacts with their new folders.
    """
    count = len(built)
    moved = tuple(_arranged(folder, model_name(name, one.target, count), one, interface, dtype) for one in built)
    # Every artifact was moved out of it.
    (folder / ARTIFACTS).rmdir()
    return moved


def served(program: Program) -> Interface:
    """Return the interface narrowed to the sizes that Triton may batch: profiles that join on from the smallest."""
    ranges = {name: _joined([profile[name] for profile in program.profiles]) for name in program.interface.dims}
    return program.interface.narrowed(ranges) if program.profiles else program.interface


def _joined(ranges: Sequence[Range]) -> Range:
    """Merge ranges that overlap or are adjacent, starting from the smallest; later ones beyond a gap are dropped."""
    least, typical, largest = min(ranges)
    for low, _, high in sorted(ranges):
        if low <= largest + 1:
            largest = max(largest, high)
    return least, typical, largest


def model_name(name: str, target: Target, count: int) -> str:
    """Return Triton's name of an artifact: that of the spec, with the target if there are several."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name if count == 1 else f"{name}-{target.folder}")


def _arranged(folder: Path, name: str, one: BuiltArtifact, interface: Interface, dtype: DTypeName) -> BuiltArtifact:
    """Move one artifact into its model folder."""
    place = Path(REPOSITORY, name)
    (folder / place).mkdir(parents=True)
    (folder / one.folder).rename(folder / place / VERSION)
    text = configuration(name, one.target, one.artifact.files[0], interface, dtype)
    (folder / place / CONFIGURATION).write_text(text, encoding="utf-8")
    return replace(one, folder=place / VERSION)


def configuration(name: str, target: Target, file: str, interface: Interface, dtype: DTypeName) -> str:
    """Return the text of a `config.pbtxt`; `file` is the artifact's first file."""
    return "\n".join(_configuration(name, target, file, interface, dtype)) + "\n"


def _configuration(name: str, target: Target, file: str, interface: Interface, dtype: DTypeName) -> Iterator[str]:
    """Yield the lines of a `config.pbtxt`."""
    batch = batch_of(interface)
    if target.engine.startswith("tensorrt"):
        yield f"# {_RTX}"
    if isinstance(batch, str):
        yield f"# no batching by Triton: {batch}"
    for port in interface.input_ports:
        if port.default is not None:
            meant = f"{port.type.dtype.value} {str(port.default).lower()}"
            yield f"# {port.name} is required here; its default is {meant}"
    yield f'name: "{name}"'
    yield SERVED[target.engine]
    yield f'default_model_filename: "{file}"'
    yield f"max_batch_size: {batch.max if isinstance(batch, Symbol) else 0}"
    # Triton adds the batch axis itself to the dims it is given.
    leading = int(isinstance(batch, Symbol))
    for kind, ports in (("input", interface.input_ports), ("output", interface.output_ports)):
        for port in ports:
            yield from tensor(kind, port, leading, dtype)
    yield f"instance_group [{{ kind: {'KIND_GPU' if target.engine.startswith('tensorrt') else 'KIND_CPU'} }}]"


def batch_of(interface: Interface) -> Symbol | str:
    """Return the dim that Triton may batch over, or a text that says why there is none.

    It must be the first axis of every input and output, and admit every size from 1 on.
    """
    ports = (*interface.input_ports, *interface.output_ports)
    first = ports[0].type.shape[0]
    strangers = [port for port in ports if port.type.shape[0] != first]
    if strangers:
        return f"{ports[0].name} begins with {first}, {strangers[0].name} with {strangers[0].type.shape[0]}"
    symbol = next((symbol for symbol in interface.symbols if Dim.of(symbol) == first), None)
    # Triton sends batches of every size from 1 to `max_batch_size`.
    if symbol is None or symbol.min != 1 or symbol.multiple != 1:
        return f"the first axis of each is {first}, which is not a dim that admits every size from 1"
    return symbol


def data_type(type_: TensorType, dtype: DTypeName) -> str:
    """Return Triton's name of the dtype of a tensor, whose floats have `dtype`."""
    return _NAMED.get(type_.dtype) or _FLOATS[dtype]


def tensor(kind: str, port: Port, leading: int, dtype: DTypeName) -> Iterator[str]:
    """Yield the lines of one input or output, without its first `leading` axes."""
    # Triton writes -1 for a size that is known at run time only.
    sizes = [size.constant if size.is_constant else -1 for size in port.type.shape[leading:]]
    yield f"{kind} {{"
    yield f'  name: "{port.name}"'
    yield f"  data_type: {data_type(port.type, dtype)}"
    # Triton requires at least one axis: one number per request is declared as [1] and reshaped to no axis.
    yield f"  dims: [{', '.join(map(str, sizes or [1]))}]"
    if not sizes:
        yield "  reshape { shape: [] }"
    yield "}"
