"""Whether an artifact holds the integers of the weights and their scales: each number, also where no trial reads it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from archspec.analyses.parameters import expand
from archspec.bundle.bundle import Bundle
from archspec.bundle.manifest import ArtifactEntry
from archspec.bundle.stored import StoredArrays
from archspec.contract.report import Finding
from archspec.diagnostics import fail
from archspec.ir.graph import Graph
from archspec.ir.storage import SCALE
from archspec.model.ports import DTypeName
from archspec.model.runner import Array
from archspec.record import record

CLAIM = "holds the integers of the weights"


@record(eq=False)
class _Constant:
    """A tensor of a file; `counts` says that it is one of integers, or of their scales."""

    name: str
    counts: bool
    read: Callable[[], Any]


def check_integers(
    artifact: str, files: Sequence[Path], graph: Graph, weights: Path, dtype: DTypeName, *, whole: bool = True
) -> None:
    """Check that the files of an artifact hold the numbers that a graph stores; see `integers_apart`.

    Raises SpecError E609 where they do not.
    """
    found = integers_apart(files, graph, weights, dtype, whole=whole)
    if found:
        names = ", ".join(f"`{name}`" for name in found[:4])
        fail("E609", f"{artifact} does not hold the integers and scales of the weights", None, notes=[f"in {names}"])


def integers_finding(bundle: Bundle, entries: Sequence[ArtifactEntry], graph: Graph) -> Iterator[Finding]:
    """Yield whether artifacts together hold the numbers that a graph stores; nothing where `integers_apart` is None."""
    files = [bundle.path / entry.files[0] for entry in entries]
    found = integers_apart(files, graph, bundle.path / bundle.manifest.weights.path, entries[0].dtype)
    if found is not None:
        detail = f"it has other numbers in {', '.join(f'`{name}`' for name in found[:4])}" if found else ""
        yield Finding(claim=CLAIM, status="violated" if found else "holds", detail=detail, trials=1)


def integers_apart(
    files: Sequence[Path], graph: Graph, weights: Path, dtype: DTypeName, *, whole: bool = True
) -> list[str] | None:
    """The names of tensors that files together do not hold as the weights do, and of those that the weights lack.

    A tensor has the name of its parameter, or is several of these joined by their features, or another copy. It may be
    transposed. Scales are rounded to `dtype`. Unless files are the `whole` model, they need not hold all.

    None where a graph stores no integers, or a file is neither ONNX nor OpenVINO's.
    """
    integers = [name for name, one in expand(graph).items() if one.stored is not None]
    if not integers or not all(file.suffix in _READERS for file in files):
        return None
    wanted, stored = {*integers, *(f"{name}{SCALE}" for name in integers)}, StoredArrays(weights, dtype)
    constants = [one for file in files for one in _READERS[file.suffix](file)]
    named = [one for one in constants if one.name in wanted]
    apart = [one.name for one in named if not _same(stored[one.name], one.read())]
    missing = wanted - {one.name for one in named}
    rest = [one for one in constants if one.counts and one.name not in wanted]
    # What has no name of a parameter may be what is missing, or another copy of what is there.
    rows = _by_first_row(stored, sorted(wanted, key=lambda name: name not in missing)) if rest else {}
    for one in rest:
        parts = _joined(one.read(), rows, stored)
        missing -= parts
        apart += [] if parts else [one.name]
    return [*dict.fromkeys(apart), *(sorted(missing) if whole else ())]


def _same(stored: Array, found: Array) -> bool:
    """Whether a tensor has the numbers of a stored one, as they are or transposed; shapes may differ by axes of one."""
    if found.size != stored.size:
        return False
    ways = (stored, stored.swapaxes(-1, -2)) if stored.ndim > 1 else (stored,)
    return any(np.array_equal(way.reshape(-1), found.reshape(-1).astype(stored.dtype)) for way in ways)


def _by_first_row(stored: Mapping[str, Array], names: Sequence[str]) -> dict[bytes, list[str]]:
    """The names of tensors by the numbers of their first feature."""
    found = defaultdict[bytes, list[str]](list)
    for name in names:
        found[_bytes(stored[name][0])].append(name)
    return found


def _bytes(numbers: Array) -> bytes:
    # No number is lost in float32; zeros of both signs are equal.
    return (numbers.reshape(-1).astype(np.float32) + 0).tobytes()


def _joined(found: Array, rows: Mapping[bytes, Sequence[str]], stored: Mapping[str, Array]) -> set[str]:
    """The tensors that a tensor is joined of, feature by feature or transposed; none where it is not."""
    features = found.reshape(len(found), -1)
    ways = [features, features.T] if found.ndim == 2 else [features, features.reshape(1, -1).T]
    return next((parts for way in ways if (parts := _parts(way, rows, stored))), set())


def _parts(features: Array, rows: Mapping[bytes, Sequence[str]], stored: Mapping[str, Array]) -> set[str]:
    """The tensors that follow each other in the rows of a matrix; none where some row is of none."""
    found, place = set[str](), 0
    while place < len(features):
        for name in rows.get(_bytes(features[place]), ()):
            one = stored[name]
            if _same(one, features[place : place + len(one)]):
                found.add(name)
                place += len(one)
                break
        else:
            return set()
    return found


def _onnx(path: Path) -> Iterator[_Constant]:
    """The constants of an ONNX file."""
    import onnx_ir

    model = onnx_ir.load(path)
    kinds = (onnx_ir.DataType.INT8, onnx_ir.DataType.INT4, onnx_ir.DataType.FLOAT8E4M3FN)
    nodes = (node for node in model.graph.all_nodes() if node.op_type == "DequantizeLinear")
    scales = {node.inputs[1].name for node in nodes if node.inputs[0].const_value is not None}
    for graph in (model.graph, *model.graph.subgraphs()):
        for name, value in graph.initializers.items():
            tensor = value.const_value
            integers = tensor.dtype in kinds and len(tensor.shape) > 1
            # Eight bits hold integers of four, and floats those of eight.
            wide = np.int8 if tensor.dtype in kinds[:2] else np.float32
            read = partial(lambda tensor, wide: tensor.numpy().astype(wide), tensor, wide)
            yield _Constant(name=name, counts=integers or name in scales, read=read)


def _openvino(path: Path) -> Iterator[_Constant]:
    """The constants of OpenVINO's file."""
    import openvino

    for one in openvino.Core().read_model(path).get_ops():
        if one.get_type_name() == "Constant":
            kind, shape = one.get_element_type().get_type_name(), tuple(one.get_output_shape(0))
            read = partial(_nibbles, one, shape) if kind == "i4" else partial(one.get_data, dtype=_WIDE.get(kind))
            name, counts = one.get_friendly_name(), kind in ("i4", "i8") and len(shape) > 1
            yield _Constant(name=name, counts=counts, read=read)


_WIDE = {"f16": np.float32, "bf16": np.float32}
"""What a constant is read as that NumPy or its casts do not have; others are read as they are."""


def _nibbles(constant: Any, shape: tuple[int, ...]) -> Array:
    """The integers of a constant of four bits, of which OpenVINO gives the bytes: the lower half is the first."""
    pairs = constant.data.view(np.int8)
    both = np.stack([(pairs << 4) >> 4, pairs >> 4], axis=-1)
    return both.reshape(-1)[: math.prod(shape)].reshape(shape)


_READERS: Mapping[str, Callable[[Path], Iterator[_Constant]]] = {".onnx": _onnx, ".xml": _openvino}
