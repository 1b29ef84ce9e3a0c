"""Arrays in .npz files: what a command reads and writes."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from archspec.analyses.memory import require
from archspec.cli.writing import write_whole
from archspec.diagnostics import SpecError, fail
from archspec.ir.types import TensorType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from archspec.bundle import Bundle
    from archspec.model.checked import Checked

_HELP = "write it with `numpy.savez(file, **arrays)`"
_SUFFIX = ".npy"
_LARGEST_ELEMENT = 32
"""Bytes of an element of the largest numeric dtype, complex256."""
_SMALL = 1 << 20
"""Arrays of so many elements are always read: what is wrong with them is then reported axis by axis."""


def read_arrays(path: Path, inputs: Mapping[str, TensorType]) -> dict[str, NDArray[Any]]:
    """Read arrays by name from an .npz file.

    Args:
        path: the file.
        inputs: types of the inputs by name; no array may have more elements than the largest one that they admit.

    Raises:
        SpecError: E703 if the file cannot be read or holds other things than arrays of numbers, E716 for an array that
            has too many elements and E504 for one that does not fit in memory, before either is read.
    """
    largest = {name: type_.elements().maximum() for name, type_ in inputs.items()}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(_SUFFIX) for name in archive.namelist()]
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                fail("E703", f"{path} contains `{twice[0]}` more than once", None, help=_HELP)
            # A name that is no input is reported when the inputs are checked.
            limits = [max(largest.get(name, max(largest.values(), default=0)), _SMALL) for name in names]
            members = zip(archive.namelist(), names, limits, strict=True)
            return {name: _array(archive, member, name, limit, path) for member, name, limit in members}
    except SpecError:
        # The last clause would catch it too.
        raise
    except OSError as error:
        fail("E703", f"cannot read {path}: {(error.strerror or str(error)).lower()}", None)
    except Exception:  # noqa: BLE001 - zipfile and NumPy raise errors of many types for damaged files
        fail("E703", f"{path} is not an .npz file of plain arrays", None, help=_HELP)


def input_types(source: Checked | Bundle) -> dict[str, TensorType]:
    """The types of the inputs of a spec or a bundle, by name."""
    from archspec.model.checked import Checked

    if isinstance(source, Checked):
        return {name: one.type for name, one in source.spec.inputs.items()}
    return {port.name: port.type for port in source.interface.input_ports}


def _array(archive: zipfile.ZipFile, member: str, name: str, limit: int, path: Path) -> NDArray[Any]:
    """Read one array, after its header. Raises SpecError E716, and many types of errors for a damaged file."""
    from numpy.lib import format as npy

    with archive.open(member) as file:
        shape, dtype = _header(file)
    # In whole numbers of Python, which do not overflow.
    count = 1
    for size in shape:
        count *= size
    # A few kilobytes can expand to any size, so the header decides before anything is allocated.
    if count > limit:
        fail("E716", f"`{name}` in {path} has {count:,} elements, expected at most {limit:,}", None)
    # An element of a structured dtype may have any size.
    if dtype.itemsize > _LARGEST_ELEMENT:
        raise ValueError(f"not a dtype of numbers: {dtype}")
    require(count * dtype.itemsize, f"`{name}` in {path} has {count:,} elements", "give smaller inputs")
    with archive.open(member) as file:
        # Pickled objects are refused, because loading them could execute code.
        return npy.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], Any]:
    """The shape and the dtype that the header of an array gives."""
    from numpy.lib import format as npy

    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = readers[npy.read_magic(file)](file)
    return shape, dtype


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays to an .npz file, completely or not at all. Raises SpecError E702."""
    import numpy as np

    write_whole(path, lambda file: np.savez(file, allow_pickle=False, **arrays))
