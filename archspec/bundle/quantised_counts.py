"""How many weights have which format, and how many products read rounded values."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.bundle.manifest import QuantisedEntry

FLOAT = "float"
"""The format of weights that stay as they are."""


def by_format(entry: QuantisedEntry) -> dict[str, list[str]]:
    """The paths of the weights in each format; those that stay floats are the last, as `float`."""
    return {**_by_value(entry.formats), **({FLOAT: entry.floats} if entry.floats else {})}


def by_grid(entry: QuantisedEntry) -> dict[str, list[str]]:
    """The paths of the products that read rounded values, by grid."""
    return _by_value(entry.activations)


def stored_words(entry: QuantisedEntry) -> str:
    """How many weights have which format, such as `5 as int4:32, 2 as int8, 1 as floats`; empty if none has one."""
    if not entry.formats:
        return ""
    counts = {format: len(paths) for format, paths in by_format(entry).items()}
    return ", ".join(f"{count} as {format}{'s' * (format == FLOAT)}" for format, count in counts.items())


def rounded_words(entry: QuantisedEntry) -> str:
    """How many products read which values, such as `6 to int8`; empty if none reads rounded ones."""
    return ", ".join(f"{len(paths)} to {grid}" for grid, paths in by_grid(entry).items())


def _by_value(words: Mapping[str, str]) -> dict[str, list[str]]:
    """The keys of each value, by value in order."""
    return {value: [key for key, one in words.items() if one == value] for value in sorted({*words.values()})}
