"""Sizes at which a model is exported, profiled and tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archspec.algebra.dim import Dim, Symbol
from archspec.model.ports import Ports

Shape = tuple[int, ...]
_LARGEST_PRIME = 100_000


def is_fixed(symbol: Symbol) -> bool:
    """Whether only one size is admitted."""
    return symbol.min == symbol.max


def minimum(symbols: Iterable[Symbol]) -> dict[str, int]:
    """Every dim at its least size."""
    return {symbol.name: symbol.min for symbol in symbols}


def typical(symbols: Iterable[Symbol]) -> dict[str, int]:
    """Every dim at its typical size."""
    return {symbol.name: symbol.typical for symbol in symbols}


def maximum(symbols: Iterable[Symbol]) -> dict[str, int]:
    """Every dim at its largest size."""
    return {symbol.name: symbol.max for symbol in symbols}


def example(symbols: Iterable[Symbol]) -> dict[str, int]:
    """Sizes to trace at: typical, but at least two multiples of a dim that varies, where its range has them.

    A trace specialises on sizes of 0 and 1, and an axis may be `dim // multiple`.
    """
    return {symbol.name: _traceable(symbol) for symbol in symbols}


def _traceable(symbol: Symbol) -> int:
    return symbol.typical if is_fixed(symbol) else max(symbol.typical, min(symbol.max, 2 * symbol.multiple))


def odd(symbols: Iterable[Symbol]) -> dict[str, int]:
    """Small sizes without common factors: each dim is a different prime times its multiple, where its range has one."""
    sizes: dict[str, int] = {}
    for symbol in symbols:
        least, most = -(-symbol.min // symbol.multiple), symbol.max // symbol.multiple
        counts = (count for count in _primes(least, most) if count not in sizes.values())
        sizes[symbol.name] = next(counts, least) * symbol.multiple
    return sizes


def _primes(least: int, most: int) -> Iterator[int]:
    """Primes of a range from 3 on, up to a limit that keeps the search short."""
    for number in range(max(least, 3), min(most, _LARGEST_PRIME) + 1):
        if all(number % divisor for divisor in range(2, int(number**0.5) + 1)):
            yield number


def leading(declared: Ports) -> tuple[Symbol, ...]:
    """The dims that are the first axis of an input."""
    first = (one.type.shape[0] for one in declared.inputs.values() if one.type.rank)
    named = {symbol.name: symbol for dim in first if (symbol := alone(dim)) is not None}
    return tuple(named.values())


def alone(dim: Dim) -> Symbol | None:
    """The symbol that a size consists of; None for any other size."""
    symbols = dim.symbols()
    if len(symbols) != 1:
        return None
    (symbol,) = symbols
    return symbol if dim == Dim.of(symbol) else None
