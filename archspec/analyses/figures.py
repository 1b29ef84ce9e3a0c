"""Counts and FLOPs as people read them."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.spec import Spec


def grouped(number: int) -> str:
    """A count with separators between thousands: 63,082,496."""
    return f"{number:,}"


def scaled(number: float, unit: str) -> str:
    """A number to three digits with a decimal prefix of its unit: 12.3 GFLOP."""
    for prefix in ("", "k", "M", "G", "T"):
        # From half below, three digits are those of a thousand.
        if abs(number) < 999.5:
            return f"{number:.3g} {prefix}{unit}".rstrip()
        number /= 1000
    return f"{number:.3g} P{unit}"


def at_sizes(flops: Dim, spec: Spec) -> str:
    """The typical sizes of the dims that FLOPs depend on: `at batch 2, length 64`; "" if there are none."""
    known = flops.symbols()
    named = [f"{name} {symbol.typical}" for name, symbol in spec.dims.items() if symbol in known]
    return f"at {', '.join(named)}" if named else ""
