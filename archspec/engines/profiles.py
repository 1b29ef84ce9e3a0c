"""Optimisation profiles: the sizes that an engine is built for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from archspec.algebra.symbol import Symbol
from archspec.diagnostics import Collector, did_you_mean, fail
from archspec.model.ports import Port, shape_at
from archspec.model.sizes import Shape

Range = tuple[int, int, int]
"""Least, typical and largest size of a dim."""
Profile = Mapping[str, Range]
"""The range of every dim."""

Shapes = Mapping[str, tuple[Shape, Shape, Shape]]
"""Least, typical and largest shape of each input."""

_RANGE = re.compile(r"(\d+)(?::(\d+):(\d+))?")


def declared(symbols: Iterable[Symbol]) -> Profile:
    """Return the ranges that a spec declares."""
    return {symbol.name: (symbol.min, symbol.typical, symbol.max) for symbol in symbols}


def read_profiles(texts: Sequence[str], symbols: Sequence[Symbol]) -> tuple[Profile, ...]:
    """Read profiles from texts like `batch=1,tokens=1:64:128`; the declared ranges if there is no text.

    A dim that is left out has its declared range; `batch=1` means `batch=1:1:1`. Raises SpecError with every mistake:
    E625 for an unknown dim, an invalid range, sizes that the spec does not admit, or a duplicate profile.
    """
    if not texts:
        return (declared(symbols),)
    found = Collector()
    profiles = [_read(text, {symbol.name: symbol for symbol in symbols}, found) for text in texts]
    found.raise_if_errors()
    # Only profiles that could be read can be compared.
    for index, profile in enumerate(profiles):
        if profile in profiles[:index]:
            found.error("E625", f"duplicate profile `{texts[index]}`", None, help="remove one")
    found.raise_if_errors()
    return tuple(profiles)


def _read(text: str, symbols: Mapping[str, Symbol], found: Collector) -> Profile:
    """Read one profile; mistakes are added to `found`."""
    ranges: dict[str, Range] = {}
    for part in text.split(","):
        name, _, sizes = (piece.strip() for piece in part.partition("="))
        with found.catching():
            if name not in symbols:
                help = did_you_mean(name, symbols, kind="dims")
                fail("E625", f"the profile `{text}` names `{name}`, which is not a dim", None, help=help)
            if name in ranges:
                fail("E625", f"the profile `{text}` gives `{name}` twice", None, help="remove one")
            ranges[name] = _range(text, sizes, symbols[name])
    return {**declared(symbols.values()), **ranges}


def _range(text: str, sizes: str, symbol: Symbol) -> Range:
    """Read the range of one dim. Raises SpecError E625."""
    match = _RANGE.fullmatch(sizes)
    if match is None:
        help = f"write `{symbol.name}=smallest:typical:largest`, or `{symbol.name}=size`"
        fail("E625", f"the profile `{text}` has no sizes for `{symbol.name}`", None, help=help)
    # A single size is the smallest, the typical and the largest.
    low, middle, high = (int(size if size is not None else match.group(1)) for size in match.groups())
    if not low <= middle <= high:
        fail("E625", f"the sizes of `{symbol.name}` in the profile `{text}` are not in ascending order", None)
    if low < symbol.min or high > symbol.max:
        admitted = f"{symbol.min} to {symbol.max}"
        fail("E625", f"the profile `{text}` is outside the sizes of `{symbol.name}`: {admitted}", None)
    if any(size % symbol.multiple for size in (low, middle, high)):
        admitted = f"multiples of {symbol.multiple}"
        fail("E625", f"the profile `{text}` is outside the sizes of `{symbol.name}`: {admitted}", None)
    return low, middle, high


def shapes(ports: Iterable[Port], profile: Profile) -> Shapes:
    """Return the shapes of each port at the smallest, typical and largest sizes of a profile, by name."""
    least, typical, largest = ({name: sizes[point] for name, sizes in profile.items()} for point in range(3))
    return {port.name: (shape_at(port, least), shape_at(port, typical), shape_at(port, largest)) for port in ports}
