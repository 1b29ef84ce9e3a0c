"""Validation of a caller's inputs against the interface before anything runs; all mistakes are reported together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from archspec.diagnostics import Collector, did_you_mean, fail
from archspec.ir.types import DType
from archspec.model.ports import HELD, DTypeName, Interface, Port, shape_at
from archspec.model.promises import check_cast, check_values
from archspec.model.runner import Array, Arrays
from archspec.model.solving import check_axes, solved_sizes

LABELS = "labels"
"""The array of right classes beside the inputs that a loss is measured on; no run takes it."""
Ranges = Mapping[str, Sequence[int]]
"""Least, typical and largest size of dims."""


def prepare(interface: Interface, given: Arrays, dtype: DTypeName, profiles: Sequence[Ranges] = ()) -> dict[str, Array]:
    """The inputs as an artifact of this dtype takes them, with defaults filled in and broadcast.

    Args:
        interface: what the model takes.
        given: arrays by name; an input with a default may be left out.
        dtype: of the artifact's floats. For bfloat16 they stay float32, because NumPy has no bfloat16.
        profiles: the sizes that the artifact was built for; without any, all sizes of the interface are accepted.

    Returns:
        every input by name, in the declared order. A dim that no input determines has its typical size.

    Raises:
        SpecError: with every mistake, E711 to E720 and E722; E723 for sizes that the spec admits and no profile does.
    """
    found = Collector()
    arrays = as_arrays(given, found)
    found.raise_if_errors()
    _check_names(interface, arrays, found)
    present = {port.name: port for port in interface.input_ports if port.name in arrays}
    # Only arrays of the right dtype and rank are compared further: one mistake must not cause a second report.
    sound = {name: port for name, port in present.items() if _has_form(port, arrays[name], found)}
    shapes = {name: (port.type.shape, arrays[name].shape) for name, port in sound.items()}
    origin = solved_sizes(shapes, found)
    check_axes(shapes, origin, found)
    # Dims that no input determines are typical, and then take the profile's typical size.
    told = {name: one.size for name, one in origin.items()}
    sizes = {**{symbol.name: symbol.typical for symbol in interface.symbols}, **told}
    for name, port in sound.items():
        check_values(port, arrays[name], sizes, found)
    found.raise_if_errors()
    sizes |= {name: typical for name, (_, typical, _) in _fitting(profiles, told).items() if name not in told}
    made = {port.name: converted(port, arrays.get(port.name), sizes, dtype) for port in interface.input_ports}
    for name, array in arrays.items():
        check_cast(name, array, made[name], found)
    found.raise_if_errors()
    return made


def as_arrays(given: object, found: Collector) -> dict[str, Array]:
    """Arrays by name, from arrays, tensors, numbers or nested lists; tensors in bfloat16 become float32.

    Collects E711 for names that are not text, E713 for what is not an array, and for masked values. Raises SpecError
    E711 for inputs without names.
    """
    if not isinstance(given, Mapping):
        help = "give a map from the name of each input to its array"
        fail("E711", f"inputs have no names: got a {type(given).__name__}", None, help=help)
    made: dict[str, Array] = {}
    for name, value in given.items():
        if not isinstance(name, str):
            found.error("E711", f"the name of an input must be text, got {name!r}", None)
            continue
        try:
            array = np.asarray(_plain(value))
        except (ValueError, TypeError, RuntimeError) as error:
            notes = [str(error).splitlines()[0]]
            found.error("E713", f"`{name}` is a {type(value).__name__} that is not an array", None, notes=notes)
            continue
        if array.dtype == object:
            found.error("E713", f"`{name}` is a {type(value).__name__} that is not an array of numbers", None)
        elif isinstance(value, np.ma.MaskedArray) and value.mask.any():
            help = f"fill the masked positions, such as with `{name}.filled(0)`"
            message = f"`{name}` is masked at {int(value.mask.sum())} of {value.size} positions"
            found.error("E713", message, None, help=help)
        else:
            made[name] = array
    return made


def _plain(value: Any) -> Any:
    """A tensor as an array, because NumPy reads neither gradients nor other devices nor bfloat16; others unchanged."""
    if not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu()
    return (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()


def _check_names(interface: Interface, given: Arrays, found: Collector) -> None:
    """Report inputs that are unknown (E711) or missing (E712)."""
    for name in given:
        if name not in interface.inputs:
            help = did_you_mean(name, interface.inputs, kind="inputs")
            if name == LABELS:
                help = f"leave it out: `--evaluate` alone reads `{LABELS}`, and runs the rows of its file one by one"
            found.error("E711", f"unknown input `{name}`", None, help=help)
    for port in interface.input_ports:
        if port.name not in given and port.default is None:
            found.error("E712", f"the input `{port.name}` is missing", None, notes=[f"expected {port.type}"])


def _has_form(port: Port, array: Array, found: Collector) -> bool:
    """Whether an array has the dtype and the rank of its port; reports E713 and E714 otherwise."""
    fits = _has_dtype(port.type.dtype, array)
    if not fits:
        kind = "bool" if port.type.dtype is DType.BOOL else repr(_numpy_name(port))
        help = f"convert it: `{port.name}.astype({kind})`" if array.dtype.kind in "biufc" else None
        found.error("E713", f"`{port.name}` has dtype {array.dtype}, expected {port.type}", None, help=help)
    if array.ndim != port.type.rank:
        shape = "x".join(map(str, array.shape)) or "a single number"
        axes = "1 axis" if array.ndim == 1 else f"{array.ndim} axes"
        message = f"`{port.name}` has {axes} ({shape}), expected {port.type}"
        found.error("E714", message, None)
    return fits and array.ndim == port.type.rank


def _numpy_name(port: Port) -> str:
    return "float32" if port.type.dtype is DType.FLOAT else port.type.dtype.value


def _has_dtype(dtype: DType, array: Array) -> bool:
    """Whether an array's dtype is of the kind of the port's; integers must also be safely convertible to it."""
    if dtype is DType.FLOAT:
        return array.dtype.kind == "f"
    if dtype is DType.BOOL:
        return array.dtype.kind == "b"
    return array.dtype.kind in "iu" and np.can_cast(array.dtype, dtype.value, "safe")


def _fitting(profiles: Sequence[Ranges], sizes: Mapping[str, int]) -> Ranges:
    """The first profile that admits the sizes of the inputs; empty for an artifact without profiles. Raises E723."""
    if not profiles:
        return {}
    fitting = next((profile for profile in profiles if _within(profile, sizes)), None)
    if fitting is not None:
        return fitting
    wanted = ", ".join(f"{name}={sizes[name]}" for name in profiles[0] if name in sizes)
    notes = [", ".join(f"{name}={low}:{typical}:{high}" for name, (low, typical, high) in p.items()) for p in profiles]
    help = "build with a `--profile` that includes these sizes, or run another artifact"
    return fail("E723", f"the artifact was not built for the sizes {wanted}", None, notes=notes, help=help)


def _within(profile: Ranges, sizes: Mapping[str, int]) -> bool:
    return all(low <= sizes[name] <= high for name, (low, _, high) in profile.items() if name in sizes)


def converted(port: Port, array: Array | None, sizes: Mapping[str, int], dtype: DTypeName) -> Array:
    """The array in the artifact's dtype, or the default broadcast to the shape of the port."""
    wanted: str = port.type.dtype.value
    if port.type.dtype is DType.FLOAT:
        wanted = HELD[dtype]
    if array is None:
        return np.full(shape_at(port, sizes), port.default, dtype=wanted)
    # An overflow becomes infinite here and is reported by `check_cast`, with its position.
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=wanted)
