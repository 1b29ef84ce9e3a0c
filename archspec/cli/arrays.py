"""Arrays that commands read and write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.writing import write_whole
from archspec.ir.types import TensorType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from archspec.bundle import Bundle
    from archspec.model.checked import Checked


def input_types(source: Checked | Bundle) -> dict[str, TensorType]:
    """The types of the inputs of a spec or a bundle, by name."""
    from archspec.model.checked import Checked

    if isinstance(source, Checked):
        return {name: one.type for name, one in source.spec.inputs.items()}
    return {port.name: port.type for port in source.interface.input_ports}


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays to an .npz file, completely or not at all. Raises SpecError E702."""
    import numpy as np

    write_whole(path, lambda file: np.savez(file, allow_pickle=False, **arrays))
