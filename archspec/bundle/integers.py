"""Whether an artifact holds the integers of the weights and their scales: each number, also where no trial reads it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

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


@record
class _Compared:
    """The names of tensors with other numbers than the weights, and of those that are in no file."""

    wrong: tuple[str, ...]
    missing: tuple[str, ...]


@record(eq=False)
class _Constant:
    """A tensor of a file; `counts` says that it is one of integers, or of their scales."""

    name: str
    counts: bool
    read: Callable[[], Any]


def check_integers(artifact: str, files: Sequence[Path], graph: Graph, weights: Path, dtype: DTypeName) -> None:
    """Check that the files of an artifact hold the numbers that a graph stores; see `integers_apart`.

    Raises SpecError E609 where they do not.
    """
    refuse(artifact, integers_apart(files, graph, weights, dtype) or ())


def check_part(artifact: str, file: Path, graph: Graph, weights: Path, dtype: DTypeName) -> list[str]:
    """Check that a file, one of several that are an artifact, holds no integers but those of the weights.

    Returns the names of tensors that it does not hold: some other file must. Raises SpecError E609.
    """
    found = _compared([file], graph, weights, dtype)
    if found is None:
        return []
    refuse(artifact, found.wrong)
    return list(found.missing)


def refuse(artifact: str, names: Sequence[str]) -> None:
    """Raise SpecError E609 if an artifact has other numbers than the weights in tensors, or lacks these."""
    if names:
        told = ", ".join(f"`{name}`" for name in names[:4])
        fail("E609", f"{artifact} does not hold the integers and scales of the weights", None, notes=[f"in {told}"])


def integers_finding(bundle: Bundle, entries: Sequence[ArtifactEntry], graph: Graph) -> Iterator[Finding]:
    """Yield whether artifacts together hold the numbers that a graph stores; nothing where `integers_apart` is None."""
    files = [bundle.path / entry.files[0] for entry in entries]
    found = integers_apart(files, graph, bundle.path / bundle.manifest.weights.path, entries[0].dtype)
    if found is not None:
        detail = f"it has other numbers in {', '.join(f'`{name}`' for name in found[:4])}" if found else ""
        yield Finding(claim=CLAIM, status="violated" if found else "holds", detail=detail, trials=1)


def integers_apart(files: Sequence[Path], graph: Graph, weights: Path, dtype: DTypeName) -> list[str] | None:
    """The names of tensors that files together do not hold as the weights do, and of those that the weights lack.

    A tensor has the name of its parameter, or is several of these joined by their features, or another copy. It may be
    transposed. Scales are rounded to `dtype`. Of tensors with equal numbers one may stand for all.

    None where a graph stores no integers, or a file is neither ONNX nor OpenVINO's.
    """
    found = _compared(files, graph, weights, dtype)
    return None if found is None else [*found.wrong, *found.missing]


def _compared(files: Sequence[Path], graph: Graph, weights: Path, dtype: DTypeName) -> _Compared | None:
    """The tensors that files hold otherwise than the weights, and those that they do not hold."""
    integers = [name for name, one in expand(graph).items() if one.stored is not None]
    if not integers or not all(file.suffix in _READERS for file in files):
        return None
    wanted, stored = {*integers, *(f"{name}{SCALE}" for name in integers)}, StoredArrays(weights, dtype)
    constants = [one for file in files for one in _READERS[file.suffix](file)]
    named = [one for one in constants if one.name in wanted]
    wrong = [one.name for one in named if not _same(stored[one.name], one.read())]
    right = {one.name for one in named}.difference(wrong)
    rest = [one for one in constants if one.counts and one.name not in wanted]
    # What has no name of a parameter may be what is missing, or another copy of what is there.
    rows = _by_first_row(stored, sorted(wanted)) if rest else {}
    for one in rest:
        parts = _joined(one.read(), rows, stored)
        right |= parts
        wrong += [] if parts else [one.name]
    missing = _unequal(wanted.difference(right, wrong), right, stored)
    return _Compared(wrong=tuple(dict.fromkeys(wrong)), missing=tuple(missing))


def _unequal(missing: Collection[str], right: Collection[str], stored: Mapping[str, Array]) -> list[str]:
    """The missing tensors that equal none of the right ones: exporters write equal tensors once, under one name."""
    there = {digest for name in right for digest in _digests(stored[name])} if missing else set()
    return [name for name in sorted(missing) if there.isdisjoint(_digests(stored[name]))]


def _digests(stored: Array) -> set[bytes]:
    """What tells the numbers of a tensor, as it is and transposed, from those of others; axes of one do not count."""
    return {
        sha256(
            f"{way.dtype} {way.squeeze().shape} ".encode() + np.ascontiguousarray(way + way.dtype.type(0)).data
        ).digest()
        for way in _ways(stored)
    }


def _ways(stored: Array) -> tuple[Array, ...]:
    """A tensor as it is and transposed."""
    return (stored, stored.swapaxes(-1, -2)) if stored.ndim > 1 else (stored,)


def _same(stored: Array, found: Array) -> bool:
    """Whether a tensor has the numbers of a stored one, as they are or transposed; shapes may differ by axes of one.

    Numbers are compared in a dtype that holds both, so that none is rounded or wrapped.
    """
    if found.size != stored.size:
        return False
    return any(np.array_equal(way.reshape(-1), found.reshape(-1)) for way in _ways(stored))


def _by_first_row(stored: Mapping[str, Array], names: Sequence[str]) -> dict[bytes, list[str]]:
    """The names of tensors by the numbers of their first feature."""
    found = defaultdict[bytes, list[str]](list)
    for name in names:
        found[_bytes(np.atleast_1d(stored[name])[0])].append(name)
    return found


def _bytes(numbers: Array) -> bytes:
    # No stored number is lost in float32; zeros of both signs are equal.
    return (numbers.reshape(-1).astype(np.float32) + 0).tobytes()


def _joined(found: Array, rows: Mapping[bytes, Sequence[str]], stored: Mapping[str, Array]) -> set[str]:
    """The tensors that a tensor is joined of, feature by feature or transposed; none where it is not.

    One without axes is a tensor of one number.
    """
    if not found.size:
        return set()
    found = np.atleast_1d(found)
    features = found.reshape(len(found), -1)
    ways = [features, features.T] if found.ndim == 2 else [features, features.reshape(1, -1).T]
    return next((parts for way in ways if (parts := _parts(way, rows, stored))), set())


def _parts(features: Array, rows: Mapping[bytes, Sequence[str]], stored: Mapping[str, Array]) -> set[str]:
    """The tensors that may follow each other in the rows of a matrix; none where some row is of none.

    Equal tensors, or one that begins as another, may stand at the same place: they are found all.
    """
    # By the number of rows that some tensors fill exactly: all of these tensors.
    filled: dict[int, set[str]] = {0: set()}
    for place in range(len(features)):
        for name in rows.get(_bytes(features[place]), ()) if place in filled else ():
            one = np.atleast_1d(stored[name])
            if _same(one, features[place : place + len(one)]):
                filled.setdefault(place + len(one), set()).update(filled[place], [name])
    return filled.get(len(features), set())


def _onnx(path: Path) -> Iterator[_Constant]:
    """The constants of an ONNX file: initializers and nodes, which have the names of their values."""
    import onnx_ir

    kinds = onnx_ir.DataType
    # Eight bits hold integers of four, and floats of 32 bits those of fewer, which NumPy lacks or has not in its casts.
    wide = {
        **dict.fromkeys((kinds.INT8, kinds.INT4), np.int8),
        **dict.fromkeys((kinds.FLOAT8E4M3FN, kinds.FLOAT16, kinds.BFLOAT16), np.float32),
    }
    model = onnx_ir.load(path)
    tensors = dict(_tensors(model))
    nodes = (node for node in model.graph.all_nodes() if node.op_type == "DequantizeLinear")
    scales = {node.inputs[1].name for node in nodes if node.inputs[0].name in tensors}
    for name, tensor in tensors.items():
        integers = tensor.dtype in (kinds.INT8, kinds.INT4, kinds.FLOAT8E4M3FN) and len(tensor.shape) > 1
        read = partial(_numbers, tensor, wide.get(tensor.dtype))
        yield _Constant(name=name, counts=integers or name in scales, read=read)


def _tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """The tensors of an ONNX model by name."""
    import onnx_ir

    numbers = {"value_float", "value_floats", "value_int", "value_ints"}
    for graph in (model.graph, *model.graph.subgraphs()):
        yield from ((name, value.const_value) for name, value in graph.initializers.items())
        for node in graph:
            for key, one in node.attributes.items() if node.op_type == "Constant" else ():
                if key == "value":
                    yield node.outputs[0].name, one.as_tensor()
                elif key in numbers:
                    yield node.outputs[0].name, onnx_ir.tensor(one.value)


def _numbers(tensor: Any, dtype: DTypeLike | None) -> Array:
    """The numbers of a tensor of an ONNX model, as a dtype or, without one, as they are."""
    numbers: Array = tensor.numpy()
    return numbers if dtype is None else numbers.astype(dtype)


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
