"""What a caller gives is checked against the interface before anything runs, and every mistake is told in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.algebra.dim import Dim
from archspec.algebra.symbol import Symbol
from archspec.bundle.promises import check_values
from archspec.diagnostics import Collector, did_you_mean, fail
from archspec.engines.engine import DTypeName
from archspec.engines.interface import Interface, Port, shape_at
from archspec.ir.types import DType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


Ranges = Mapping[str, Sequence[int]]
"""Least, typical and largest size of dims."""


def prepare(
    interface: Interface, given: Mapping[str, Array], dtype: DTypeName, profiles: Sequence[Ranges] = ()
) -> dict[str, Array]:
    """The inputs as an artifact of this dtype takes them, defaults filled in and broadcast.

    Floats for bfloat16 stay float32: arrays have no such numbers. `profiles` are the sizes that the artifact was built
    for; without any it runs at all that the interface admits.
    Raises SpecError with every mistake: E711 to E720, and E722; E723 for sizes that the spec admits and no profile.
    """
    import numpy as np

    found = Collector()
    arrays = {name: np.asarray(array) for name, array in given.items()}
    _check_names(interface, arrays, found)
    present = {port.name: port for port in interface.input_ports if port.name in arrays}
    sound = {name: port for name, port in present.items() if _has_form(port, arrays[name], found)}
    told = _sizes(interface, sound, arrays, found)
    sizes = {**{symbol.name: symbol.typical for symbol in interface.symbols}, **told}
    for name, port in sound.items():
        check_values(port, arrays[name], sizes, found)
    found.raise_if_errors()
    sizes |= {name: typical for name, (_, typical, _) in _fitting(profiles, told).items() if name not in told}
    return {port.name: _converted(port, arrays.get(port.name), sizes, dtype) for port in interface.input_ports}


def _check_names(interface: Interface, given: Mapping[str, Array], found: Collector) -> None:
    for name in given:
        if name not in interface.inputs:
            help = did_you_mean(name, interface.inputs, kind="inputs")
            found.error("E711", f"`{name}` is no input", None, help=help)
    for port in interface.input_ports:
        if port.name not in given and port.default is None:
            found.error("E712", f"the input `{port.name}` is missing", None, notes=[f"it is {port.type}"])


def _has_form(port: Port, array: Array, found: Collector) -> bool:
    fits = _has_dtype(port.type.dtype, array)
    if not fits:
        help = f"convert it: `{port.name}.astype({'bool' if port.type.dtype is DType.BOOL else repr(_plain(port))})`"
        found.error("E713", f"`{port.name}` holds {array.dtype}, the input is {port.type}", None, help=help)
    if array.ndim != port.type.rank:
        shape = "x".join(map(str, array.shape)) or "a single number"
        axes = "1 axis" if array.ndim == 1 else f"{array.ndim} axes"
        message = f"`{port.name}` has {axes} ({shape}), the input is {port.type}"
        found.error("E714", message, None)
    return fits and array.ndim == port.type.rank


def _plain(port: Port) -> str:
    return "float32" if port.type.dtype is DType.FLOAT else port.type.dtype.value


def _has_dtype(dtype: DType, array: Array) -> bool:
    import numpy as np

    if dtype is DType.FLOAT:
        return array.dtype.kind == "f"
    if dtype is DType.BOOL:
        return array.dtype.kind == "b"
    return array.dtype.kind in "iu" and np.can_cast(array.dtype, dtype.value, "safe")


def _sizes(
    interface: Interface, ports: Mapping[str, Port], arrays: Mapping[str, Array], found: Collector
) -> dict[str, int]:
    """The size of every dim that an axis is; then every axis is checked against its own."""
    origin: dict[str, tuple[int, str]] = {}
    for name, port in ports.items():
        for dim, size in zip(port.type.shape, arrays[name].shape, strict=True):
            symbol = _alone(dim)
            if symbol is not None and symbol.name not in origin and _admits(symbol, size, name, found):
                origin[symbol.name] = (size, name)
    sizes = {name: size for name, (size, _) in origin.items()}
    for name, port in ports.items():
        for index, dim in enumerate(port.type.shape):
            _check_axis(port, index, dim, arrays[name].shape[index], origin, found)
    return sizes


def _fitting(profiles: Sequence[Ranges], sizes: Mapping[str, int]) -> Ranges:
    """The first profile that has these sizes, which the inputs tell; none binds an artifact without profiles."""
    if not profiles:
        return {}
    fitting = next((profile for profile in profiles if _within(profile, sizes)), None)
    if fitting is not None:
        return fitting
    wanted = ", ".join(f"{name}={sizes[name]}" for name in profiles[0] if name in sizes)
    notes = [", ".join(f"{name}={low}:{typical}:{high}" for name, (low, typical, high) in p.items()) for p in profiles]
    help = "build with a `--profile` that has these sizes, or run another artifact"
    return fail("E723", f"the artifact was not built for {wanted}", None, notes=notes, help=help)


def _within(profile: Ranges, sizes: Mapping[str, int]) -> bool:
    return all(low <= sizes[name] <= high for name, (low, _, high) in profile.items() if name in sizes)


def _alone(dim: Dim) -> Symbol | None:
    symbols = dim.symbols()
    if len(symbols) != 1:
        return None
    (symbol,) = symbols
    return symbol if dim == Dim.of(symbol) else None


def _admits(symbol: Symbol, size: int, name: str, found: Collector) -> bool:
    place = f"`{symbol.name}` is {size} in `{name}`"
    if not symbol.min <= size <= symbol.max:
        found.error("E716", f"{place}, it goes from {symbol.min} to {symbol.max}", None)
        return False
    if size % symbol.multiple:
        found.error("E717", f"{place}, it is a multiple of {symbol.multiple}", None)
        return False
    return True


def _check_axis(
    port: Port, index: int, dim: Dim, size: int, origin: Mapping[str, tuple[int, str]], found: Collector
) -> None:
    known = {symbol.name: origin[symbol.name] for symbol in dim.symbols() if symbol.name in origin}
    if len(known) < len(dim.symbols()):
        return
    wanted = dim.value({name: size for name, (size, _) in known.items()})
    if size != wanted:
        notes = [f"`{name}` is {value} in `{place}`" for name, (value, place) in known.items()]
        message = f"axis {index} of `{port.name}` has size {size}, it is {dim}"
        found.error("E715", message if dim.is_constant else f"{message} = {wanted}", None, notes=notes)


def _converted(port: Port, array: Array | None, sizes: Mapping[str, int], dtype: DTypeName) -> Array:
    import numpy as np

    wanted: str = port.type.dtype.value
    if port.type.dtype is DType.FLOAT:
        wanted = "float32" if dtype == "bfloat16" else dtype
    if array is None:
        return np.full(shape_at(port, sizes), port.default, dtype=wanted)
    return np.ascontiguousarray(array, dtype=wanted)
