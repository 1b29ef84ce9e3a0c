"""Random inputs that keep every promise of an interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.analyses.memory import require_inputs
from archspec.engines.interface import Interface, Port, shape_at
from archspec.ir.types import DType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]


def sample(interface: Interface, sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
    """Inputs at given sizes: floats standard normal in float32, integers below their bound, bools as promised.

    Where nothing is promised of a bool input with several rows, its last row is all false: an attention row without
    keys is where runtimes differ. Raises SpecError E504 for inputs that no memory holds.
    """
    import numpy as np

    require_inputs({port.name: port.type for port in interface.input_ports}, sizes)
    generator = np.random.default_rng(seed)
    return {port.name: _array(port, shape_at(port, sizes), sizes, generator) for port in interface.input_ports}


def _array(port: Port, shape: tuple[int, ...], sizes: Mapping[str, int], generator: np.random.Generator) -> Array:
    import numpy as np

    if port.type.dtype is DType.FLOAT:
        return generator.standard_normal(shape, dtype=np.float32)
    if port.type.dtype is DType.BOOL:
        return _bools(port, shape, generator)
    # Without a bound the integer may index any axis, or count its positions.
    bound = port.type.bound.value(sizes) if port.type.bound is not None else max(1, min(sizes.values(), default=1))
    values = generator.integers(0, bound, shape, dtype=port.type.dtype.value)
    return np.sort(values, axis=-1) if port.sorted else values


def _bools(port: Port, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    import numpy as np

    if port.padding == "any":
        values = generator.random(shape) < 0.75
        if len(shape) > 1 and shape[0] > 2:
            values[-1] = False
        return values
    count = shape[-1]
    lengths = generator.integers(1, count + 1, shape[:-1])[..., None]
    positions = np.arange(count)
    result: Array = positions < lengths if port.padding == "right" else positions >= count - lengths
    return result
