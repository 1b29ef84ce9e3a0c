"""A reference that a bundle is held to: inputs and outputs of the original in an .npz file, by the spec's names."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from archspec.contract.held import Recording
from archspec.diagnostics import Collector, did_you_mean, fail
from archspec.ir.types import DType
from archspec.model.archives import read_arrays
from archspec.model.inputs import as_arrays, prepare
from archspec.model.ports import Interface, Port, interface_of, shape_at
from archspec.model.runner import Array, Arrays
from archspec.model.solving import solved_sizes
from archspec.record import record
from archspec.spec import Spec

_KINDS = {DType.FLOAT: "f", DType.INT64: "iu", DType.INT32: "iu", DType.BOOL: "b"}
_LEAST_FLOAT = 4
"""Bytes of float32: values of less precision are equal to nothing within the tolerance."""


@record(eq=False)
class GivenReference:
    """Inputs and outputs of an original by the spec's names, and what the manifest calls it."""

    name: str
    arrays: Mapping[str, Any]


Expected = str | Path | Mapping[str, Any] | GivenReference | None
"""An .npz file, or arrays by name; None for no reference."""


@record
class KeptReference:
    """A copy of a reference that does not change while a bundle is built, with its name and the digest of its file."""

    path: Path
    name: str
    sha256: str


@contextmanager
def kept(expected: Expected, spec: Spec) -> Iterator[KeptReference | None]:
    """Provide a copy of a reference for the time of the context.

    Raises SpecError E703 if it cannot be read, and as `read_recording` does: before anything is built.
    """
    if expected is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="archspec-reference-") as folder:
        path = Path(folder) / "reference.npz"
        if isinstance(expected, (str, Path)):
            _copy(Path(expected), path)
            name = Path(expected).name
        else:
            given = (
                expected
                if isinstance(expected, GivenReference)
                else GivenReference(name="given arrays", arrays=expected)
            )
            name = given.name
            _save(given.arrays, path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        read_recording(spec, path, name)
        yield KeptReference(path=path, name=name, sha256=digest)


def _save(given: Mapping[str, Any], path: Path) -> None:
    """Write arrays to a file. Raises SpecError E711 or E713 for what are no arrays by name."""
    found = Collector()
    arrays = as_arrays(given, found)
    found.raise_if_errors()
    np.savez(path, allow_pickle=False, **arrays)


def _copy(given: Path, path: Path) -> None:
    """Copy a file. Raises SpecError E703 if it cannot be read."""
    # Opening a pipe would wait for a writer without end.
    if given.exists() and not given.is_file():
        fail("E703", f"cannot read {given}: not a regular file", None)
    try:
        shutil.copyfile(given, path)
    except OSError as error:
        fail("E703", f"cannot read {given}: {(error.strerror or str(error)).lower()}", None)


def read_recording(spec: Spec, path: Path, name: str) -> Recording:
    """Read a reference and check it against a spec.

    Args:
        spec: its inputs and outputs give the names.
        path: the .npz file; every input without a default must be in it, and at least one output.
        name: what messages call the file.

    Returns:
        all inputs, with defaults filled in; the outputs, of which those in float64 are to be compared in float64, too.

    Raises:
        SpecError: with every mistake: E641 for names, dtypes and sizes of outputs, E711 to E722 for inputs, E703 for a
            file that holds other things than arrays.
    """
    interface = interface_of(spec)
    types = {name: port.type for name, port in {**interface.inputs, **interface.outputs}.items()}
    arrays = read_arrays(path, types, name)
    found = Collector()
    _check_names(interface, arrays, name, found)
    given = {one: array for one, array in arrays.items() if one in interface.inputs}
    with found.catching():
        prepared = prepare(interface, given, "float32")
    found.raise_if_errors()
    sizes = sizes_told(interface, given)
    outputs = {one: array for one, array in arrays.items() if one in interface.outputs}
    for one, array in outputs.items():
        _check_output(interface.outputs[one], array, sizes, found)
    found.raise_if_errors()
    precise = {one: array for one, array in given.items() if array.dtype == np.float64}
    exact = {one: array for one, array in outputs.items() if array.dtype.kind != "f" or array.dtype == np.float64}
    has_float64 = any(array.dtype == np.float64 for array in exact.values())
    return Recording(inputs={**prepared, **precise}, sizes=sizes, outputs=outputs, exact=exact if has_float64 else {})


def sizes_told(interface: Interface, arrays: Arrays) -> dict[str, int]:
    """The size of each dim: what the shapes of some inputs determine, else the typical one."""
    shapes = {name: (interface.inputs[name].type.shape, array.shape) for name, array in arrays.items()}
    solved = solved_sizes(shapes, Collector())
    told = {name: one.size for name, one in solved.items()}
    return {**{symbol.name: symbol.typical for symbol in interface.symbols}, **told}


def _check_names(interface: Interface, arrays: Arrays, name: str, found: Collector) -> None:
    """Collect E641 for arrays that are neither inputs nor outputs, and for a reference without any output."""
    known = [*interface.inputs, *interface.outputs]
    for one in arrays:
        if one not in known:
            help = did_you_mean(one, known, kind="inputs and outputs")
            found.error("E641", f"{name} has `{one}`, which is neither an input nor an output", None, help=help)
    if not any(one in interface.outputs for one in arrays):
        help = f"save at least one of {', '.join(interface.outputs)} under its name"
        found.error("E641", f"{name} has no output to compare with", None, help=help)


def _check_output(port: Port, array: Array, sizes: Mapping[str, int], found: Collector) -> None:
    """Collect E641 for an output of another dtype or shape than the spec declares at these sizes."""
    if array.dtype.kind not in _KINDS[port.type.dtype]:
        found.error("E641", f"`{port.name}` has dtype {array.dtype}, expected {port.type}", None)
    elif array.dtype.kind == "f" and array.dtype.itemsize < _LEAST_FLOAT:
        help = "run the original in float32, or better in float64, and save its outputs as they are"
        found.error("E641", f"`{port.name}` has dtype {array.dtype}, expected float32 or float64", None, help=help)
    shape = shape_at(port, sizes)
    if array.shape != shape:
        at = ", ".join(f"{name}={size}" for name, size in sizes.items())
        message = f"`{port.name}` has shape {list(array.shape)}, expected {list(shape)}"
        found.error("E641", message, None, notes=[f"{port.type} at {at}"])


def refuse_uncompared(name: str, outputs: Mapping[str, object], compared: frozenset[str]) -> None:
    """Raise SpecError E641 for outputs of which no position was compared."""
    found = Collector()
    for one in outputs:
        if one not in compared:
            message = (
                f"`{one}` in {name} tells nothing: the rules exclude all of its positions, or it has one value alone"
            )
            found.error("E641", message, None, help="give inputs in which some positions are valid, and real weights")
    found.raise_if_errors()
