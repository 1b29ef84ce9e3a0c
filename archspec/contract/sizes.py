"""The sizes at which a model is tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from archspec.algebra.dim import Dim
from archspec.analyses.cost import cost
from archspec.masks.walk import leaves
from archspec.model.sizes import leading, maximum, minimum, odd, typical
from archspec.spec.claims import Claims

Sizes = dict[str, int]

MOST_FLOPS = 100_000_000_000
"""A run dearer than this is left out."""
MOST_ELEMENTS = 20_000_000
"""Where no cost is known: outputs larger than this are left out."""
_LONGEST_WINDOW = 512


def points(claims: Claims) -> dict[str, Sizes]:
    """Sizes by name: least, typical, largest, and an odd one, each dim a prime times its multiple; no two the same."""
    symbols = tuple(claims.dims.values())
    found: dict[str, Sizes] = {}
    for name, choose in {"least": minimum, "typical": typical, "largest": maximum, "prime": odd}.items():
        sizes = choose(symbols)
        if sizes not in found.values():
            found[name] = sizes
    return found


def affordable(claims: Claims, sizes: Mapping[str, int]) -> bool:
    """Whether one run at these sizes takes seconds at most."""
    if claims.spec is not None:
        return cost(claims.spec.graph).flops.value(sizes) <= MOST_FLOPS
    types = [*(one.type for one in claims.inputs.values()), *(value.type for value in claims.outputs.values())]
    return sum(type_.elements().value(sizes) for type_ in types) <= MOST_ELEMENTS


def probe(claims: Claims) -> Sizes:
    """Small sizes at which rules are tried: every dim another one, windows shorter than the positions."""
    first = {symbol.name for symbol in leading(claims)}
    lengths = count(max(8, _binding(claims)))
    sizes: Sizes = {}
    for symbol in claims.dims.values():
        wanted = 3 if symbol.name in first else -(-next(lengths) // symbol.multiple) * symbol.multiple
        sizes[symbol.name] = min(max(wanted, symbol.min), symbol.max)
    return sizes


def _binding(claims: Claims) -> int:
    """A length at which every window that a rule names leaves something out."""
    typical_sizes = typical(claims.dims.values())
    found = (dim.value(typical_sizes) + 3 for dim in _windows(claims))
    return max((size for size in found if size <= _LONGEST_WINDOW), default=0)


def _windows(claims: Claims) -> Iterator[Dim]:
    for rule in claims.rules:
        yield from (dim for dim in (rule.back, rule.ahead) if dim is not None)
        for leaf in leaves(rule.mask) if rule.mask is not None else ():
            yield from leaf.sizes()
