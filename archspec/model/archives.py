"""Arrays by name in .npz files, read without pickle and checked before they are expanded."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from archspec.analyses.memory import require
from archspec.diagnostics import SpecError, fail
from archspec.ir.types import TensorType

if TYPE_CHECKING:
    from archspec.model.runner import Array

_HELP = "write it with `numpy.savez(file, **arrays)`"
_SUFFIX = ".npy"
_LARGEST_ELEMENT = 32
"""Bytes of an element of the largest numeric dtype, complex256."""
_SMALL = 1 << 20
"""Arrays of so many elements are always read: what is wrong with them is then reported axis by axis."""


def read_arrays(path: Path, types: Mapping[str, TensorType], called: str | None = None) -> dict[str, Array]:
    """Read arrays by name from an .npz file.

    Args:
        path: the file.
        types: types of the declared arrays by name; no array may have more elements than the largest that they admit.
        called: what messages call the file; its path if None.

    Raises:
        SpecError: E703 if the file cannot be read or holds other things than arrays of numbers, E716 for an array that
            has too many elements and E504 for one that does not fit in memory, before either is read.
    """
    title = called or str(path)
    largest = {name: type_.elements().maximum() for name, type_ in types.items()}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(_SUFFIX) for name in archive.namelist()]
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                fail("E703", f"{title} contains `{twice[0]}` more than once", None, help=_HELP)
            # A name that is not declared is reported when the arrays are checked.
            limits = [max(largest.get(name, max(largest.values(), default=0)), _SMALL) for name in names]
            members = zip(archive.namelist(), names, limits, strict=True)
            return {name: _array(archive, member, name, limit, title) for member, name, limit in members}
    except SpecError:
        # The last clause would catch it too.
        raise
    except OSError as error:
        fail("E703", f"cannot read {title}: {(error.strerror or str(error)).lower()}", None)
    except Exception:  # noqa: BLE001 - zipfile and NumPy raise errors of many types for damaged files
        fail("E703", f"{title} is not an .npz file of plain arrays", None, help=_HELP)


def _array(archive: zipfile.ZipFile, member: str, name: str, limit: int, title: str) -> Array:
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
        fail("E716", f"`{name}` in {title} has {count:,} elements, expected at most {limit:,}", None)
    # An element of a structured dtype may have any size.
    if dtype.itemsize > _LARGEST_ELEMENT:
        raise ValueError(f"not a dtype of numbers: {dtype}")
    require(count * dtype.itemsize, f"`{name}` in {title} has {count:,} elements", "give smaller inputs")
    with archive.open(member) as file:
        # Pickled objects are refused, because loading them could execute code.
        return npy.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], Any]:
    """The shape and the dtype that the header of an array gives."""
    from numpy.lib import format as npy

    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = readers[npy.read_magic(file)](file)
    return shape, dtype
