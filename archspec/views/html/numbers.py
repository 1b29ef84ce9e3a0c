"""Numbers as a page writes them."""

from __future__ import annotations


def scaled(number: float, unit: str) -> str:
    """A number to three digits with a decimal prefix of its unit: 12.3 GFLOP."""
    for prefix in ("", "k", "M", "G", "T"):
        if abs(number) < 1000:
            return f"{number:.3g} {prefix}{unit}".rstrip()
        number /= 1000
    return f"{number:.3g} P{unit}"
