"""The sizes of dims at which a model is tested."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from itertools import count
from math import prod
from typing import Any

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.cost import cost
from archspec.ir.graph import Graph
from archspec.masks.mask import Mask
from archspec.masks.walk import leaves
from archspec.model.sizes import leading, maximum, minimum, odd, typical
from archspec.record import record
from archspec.spec.claims import Claims

Sizes = dict[str, int]

MOST_FLOPS = 100_000_000_000
"""Runs that cost more are skipped."""
MOST_ELEMENTS = 20_000_000
"""Sizes with larger outputs are skipped where the cost is unknown."""
MOST_RULE_FLOPS = 200_000_000
MOST_RULE_ELEMENTS = 2_000_000
"""A rule takes many runs: sizes at which one run costs more are skipped."""
RULE_FLOPS = 10_000_000_000
RULE_ELEMENTS = 40_000_000
"""A rule gets as many runs at one point as fit into this total cost, within the limits of `_RUNS`."""
_RUNS = (8, 128)
# Longer windows and chunks are not exceeded by the sizes, because runs would become too expensive.
_LONGEST_WINDOW = 512


@record(eq=False)
class Point:
    """Sizes of all dims, with a note on sizes that were reduced because they cost too much.

    `runs` limits the runs of one rule. At the main point every padding pattern is tried.
    """

    sizes: Sizes
    note: str = ""
    is_main: bool = False
    runs: int = _RUNS[1]


def points(claims: Claims) -> dict[str, Sizes]:
    """Sizes by name, without duplicates: least, typical, largest, and a prime times the multiple of each dim."""
    symbols = tuple(claims.dims.values())
    found: dict[str, Sizes] = {}
    for name, choose in {"least": minimum, "typical": typical, "largest": maximum, "prime": odd}.items():
        sizes = choose(symbols)
        if sizes not in found.values():
            found[name] = sizes
    return found


def affordable(claims: Claims, sizes: Mapping[str, int]) -> bool:
    """Whether one run at these sizes is below the limit on FLOPs, or, without a graph, on elements."""
    if claims.spec is not None:
        return _flops(claims.spec.graph).value(sizes) <= MOST_FLOPS
    return _elements(claims, sizes) <= MOST_ELEMENTS


def rule_points(claims: Claims) -> tuple[Point, ...]:
    """The points at which rules are checked, without duplicates; the first is the main one, with the sizes of `probe`.

    The others are used as far as a run stays cheap: the least and the largest size of every dim, together and for each
    length alone; lengths of 1, 2 and 3; the typical sizes; the least number of rows in the leading dims; a prime times
    the multiple; and lengths greater than twice every chunk and window that the rules or the graph name. If the largest
    sizes together cost too much, the largest number of rows and the largest other dims are tried separately, and halved
    until a run is cheap; the note of the point states the reduction.
    """
    symbols, main = tuple(claims.dims.values()), probe(claims)
    rows = {symbol.name for symbol in leading(claims)}
    least, most = minimum(symbols), maximum(symbols)
    wanted = [least, {**main, **{name: least[name] for name in rows}}, odd(symbols), _past(claims, main)]
    wanted += [_short(symbols, rows, length) for length in (1, 2, 3)] + [typical(symbols)]
    lengths = [name for name in main if name not in rows]
    if len(lengths) > 1:
        wanted += [{**main, name: ends[name]} for name in lengths for ends in (least, most)]
    found = [Point(sizes=main, is_main=True)]
    found += [Point(sizes=sizes) for sizes in wanted if _cheap(claims, sizes)]
    if _cheap(claims, most):
        found.append(Point(sizes=most))
    else:
        found += [
            _largest(claims, {name: (most if name in rows else least)[name] for name in most}, most, rows),
            _largest(claims, {name: (least if name in rows else most)[name] for name in most}, most, set(most) - rows),
        ]
    known = [one.sizes for one in found]
    kept = (one for number, one in enumerate(found) if one.sizes not in known[:number])
    return tuple(replace(one, runs=_runs(claims, one.sizes)) for one in kept)


def _short(symbols: Iterable[Symbol], rows: Collection[str], length: int) -> Sizes:
    """Two rows, and a multiple of every other dim, limited to its range."""
    wanted = {one.name: 2 if one.name in rows else length * one.multiple for one in symbols}
    return {one.name: min(max(wanted[one.name], one.min), one.max) for one in symbols}


def _runs(claims: Claims, sizes: Sizes) -> int:
    """The number of runs of one rule that are affordable at these sizes."""
    if claims.spec is not None:
        many = RULE_FLOPS // max(1, _flops(claims.spec.graph).value(sizes))
    else:
        # A model may compute pairs of positions, as attention does.
        rows = {symbol.name for symbol in leading(claims)}
        longest = max((size for name, size in sizes.items() if name not in rows), default=1)
        pairs = prod(sizes[name] for name in rows) * longest**2
        many = RULE_ELEMENTS // max(1, _elements(claims, sizes), pairs)
    least, most = _RUNS
    return max(least, min(most, many))


def _largest(claims: Claims, sizes: Sizes, most: Sizes, wanted: set[str]) -> Point:
    """A point with sizes halved until a run is cheap or no dim can be halved."""
    sizes = _halved(claims, sizes, _cheap)
    left = ", ".join(
        f"{name}={sizes[name]} of {most[name]}" for name in sizes if name in wanted and sizes[name] < most[name]
    )
    return Point(sizes=sizes, note=f"tried up to {left}" if left else "")


def longest(claims: Claims) -> Sizes:
    """Two rows of the largest other dims, halved until one run is affordable."""
    rows = {symbol.name for symbol in leading(claims)}
    sizes = {one.name: min(max(2, one.min), one.max) if one.name in rows else one.max for one in claims.dims.values()}
    return _halved(claims, sizes, affordable)


def _halved(claims: Claims, sizes: Sizes, fits: Callable[[Claims, Sizes], bool]) -> Sizes:
    """Sizes halved, relatively largest dim first, until they fit or no dim can be halved."""
    while not fits(claims, sizes):
        symbol = max(claims.dims.values(), key=lambda one: sizes[one.name] / one.min)
        half = sizes[symbol.name] // 2 // symbol.multiple * symbol.multiple
        if half < symbol.min:
            break
        sizes = {**sizes, symbol.name: half}
    return sizes


def _cheap(claims: Claims, sizes: Mapping[str, int]) -> bool:
    """Whether one run is cheap enough to be repeated many times for a rule."""
    if claims.spec is not None:
        return _flops(claims.spec.graph).value(sizes) <= MOST_RULE_FLOPS
    return _elements(claims, sizes) <= MOST_RULE_ELEMENTS


# The formula does not depend on the sizes, for which its value is asked many times.
def _flops(graph: Graph) -> Dim:
    return cost(graph).flops


def _elements(claims: Claims, sizes: Mapping[str, int]) -> int:
    """The number of elements of all inputs and outputs."""
    types = [*(one.type for one in claims.inputs.values()), *(value.type for value in claims.outputs.values())]
    return sum(type_.elements().value(sizes) for type_ in types)


def probe(claims: Claims) -> Sizes:
    """The main, small sizes: dims differ where their limits allow, and lengths exceed every window up to the limit.

    Different sizes show axes that are mixed up; a length above a window shows whether the window is kept.
    """
    longest = max((size + 3 for size in _windows(claims) if size + 3 <= _LONGEST_WINDOW), default=0)
    return _lengths(claims, max(8, longest), rows=3)


def lengths(claims: Claims, least: int) -> Sizes:
    """One row for leading dims, and at least this number for every other dim where its limits allow it."""
    return _lengths(claims, least, rows=1)


def _past(claims: Claims, main: Sizes) -> Sizes:
    """Sizes greater than twice every named length, to reach a third chunk; `main` if it is no shorter."""
    named = [*_windows(claims), *(symbol.multiple for symbol in claims.dims.values() if symbol.multiple > 1)]
    longest = max((2 * size + 1 for size in named if 2 * size < 2 * _LONGEST_WINDOW), default=0)
    return _lengths(claims, longest, rows=2) if longest > max(main.values(), default=0) else main


def _lengths(claims: Claims, least: int, rows: int) -> Sizes:
    """Sizes with `rows` for leading dims and a different number from `least` on for each other dim.

    They are rounded up to the dim's multiple and limited to its range, which may make some of them equal.
    """
    first = {symbol.name for symbol in leading(claims)}
    lengths, sizes = count(least), Sizes()
    for symbol in claims.dims.values():
        wanted = rows if symbol.name in first else -(-next(lengths) // symbol.multiple) * symbol.multiple
        sizes[symbol.name] = min(max(wanted, symbol.min), symbol.max)
    return sizes


def _windows(claims: Claims) -> Iterator[int]:
    """Lengths named by rules, by their masks and by masks in the graph, such as windows and chunks."""
    sizes = typical(claims.dims.values())
    for rule in claims.rules:
        yield from (dim.value(sizes) for dim in (rule.back, rule.ahead) if dim is not None)
    for mask in all_masks(claims):
        yield from (dim.value(sizes) for leaf in leaves(mask) for dim in leaf.sizes())


def all_masks(claims: Claims) -> Iterator[Mask]:
    """The masks of the rules and of all nodes of the graph."""
    yield from (rule.mask for rule in claims.rules if rule.mask is not None)
    for node in claims.spec.graph.walk() if claims.spec is not None else ():
        yield from (part for part in _parts(node.op) if isinstance(part, Mask))


def _parts(made: Any) -> Iterator[Any]:
    """The values of the fields of a record."""
    return (getattr(made, one.name) for one in fields(made) if hasattr(made, one.name))
