"""The sizes of dims from the shapes that a caller gives: every axis is an equation in them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import lcm

from archspec.algebra.dim import Dim, FloorDiv, Mod, Symbol
from archspec.algebra.polynomial import Terms, constant
from archspec.diagnostics import Collector
from archspec.model.sizes import alone
from archspec.record import record

Shapes = Mapping[str, tuple[tuple[Dim, ...], tuple[int, ...]]]
"""For each input its declared shape and the given one, of one rank."""
_MOST_SIZE = 2**63


@record
class Solved:
    """The size of a dim, and the input that determined it."""

    size: int
    place: str


@record
class _Equation:
    """One axis of an input: its declared size and the given one."""

    place: str
    axis: int
    dim: Dim
    size: int

    def __str__(self) -> str:
        return f"axis {self.axis} of `{self.place}` has size {self.size}"


def solved_sizes(shapes: Shapes, found: Collector) -> dict[str, Solved]:
    """Solve for every dim that the shapes determine.

    Axes that are a single dim come first, then polynomials with one unknown dim, until none is left. Where
    several sizes of a dim fit, as for `(n + 1)//2`, it is the typical one if that fits, otherwise the least.

    Args:
        shapes: for each input its declared and its given shape.
        found: takes E716 for a size outside the declared range, E717 for one that no integer size of the dim gives.

    Returns:
        the size of each dim that was solved. A dim whose equation has no solution is left out.
    """
    solved: dict[str, Solved] = {}
    failed: set[str] = set()
    vague: list[_Equation] = []
    equations = list(_equations(shapes))
    while True:
        ready = [one for one in equations if len(_unknown(one, solved)) == 1 and one not in vague]
        ready.sort(key=lambda one: alone(one.dim) is None)  # stable: in the declared order
        # A dim without a solution is reported once: its further equations are skipped.
        usable = [one for one in ready if not failed & {symbol.name for symbol in one.dim.symbols()}]
        if not usable:
            break
        # One equation at a time: its solution may leave another one with a single unknown dim.
        (symbol,) = _unknown(usable[0], solved)
        outcome = _solve(usable[0], symbol, solved, found)
        if outcome is None:
            # Another axis may still decide this dim, so a choice among several sizes waits until the end.
            vague.append(usable[0])
        elif not outcome:
            failed.add(symbol.name)
    _choose(vague, solved, found)
    return solved


def _choose(vague: list[_Equation], solved: dict[str, Solved], found: Collector) -> None:
    """Choose a size for each dim that has several solutions, one that all its axes allow."""
    for one in vague:
        for symbol in _unknown(one, solved):
            same = [other for other in vague if _unknown(other, solved) == [symbol]]
            fitting = [_fitting(_giving(other, symbol, solved), other, symbol) for other in same]
            common = (count for count in min(fitting, key=len) if all(count in fits for fits in fitting))
            typical = symbol.typical // symbol.multiple
            count = typical if all(typical in fits for fits in fitting) else next(common, None)
            if count is None:
                _no_whole(one, symbol, _giving(one, symbol, solved), found)
                return
            solved[symbol.name] = Solved(size=count * symbol.multiple, place=one.place)


def check_axes(shapes: Shapes, solved: Mapping[str, Solved], found: Collector) -> None:
    """Collect E715 for every axis whose size differs from what the solved dims give."""
    for one in _equations(shapes):
        if _unknown(one, solved):
            continue
        known = {symbol.name: solved[symbol.name] for symbol in _sorted(one.dim)}
        wanted = one.dim.value({name: given.size for name, given in known.items()})
        if one.size != wanted:
            notes = [f"`{name}` is {given.size} in `{given.place}`" for name, given in known.items()]
            expected = str(one.dim) if one.dim.is_constant else f"{one.dim} = {wanted}"
            found.error("E715", f"{one}, expected {expected}", None, notes=notes)


def _equations(shapes: Shapes) -> Iterator[_Equation]:
    for place, (declared, given) in shapes.items():
        for axis, (dim, size) in enumerate(zip(declared, given, strict=True)):
            yield _Equation(place=place, axis=axis, dim=dim, size=size)


def _sorted(dim: Dim) -> list[Symbol]:
    return sorted(dim.symbols(), key=lambda symbol: symbol.name)


def _unknown(one: _Equation, solved: Mapping[str, Solved]) -> list[Symbol]:
    return [symbol for symbol in _sorted(one.dim) if symbol.name not in solved]


def _solve(one: _Equation, symbol: Symbol, solved: dict[str, Solved], found: Collector) -> bool | None:
    """Solve one equation for its one unknown dim, and record the size in `solved`.

    Returns False, with a diagnostic, where no size fits, and None where several do.
    """
    if alone(one.dim) == symbol:
        return _admitted(one, symbol, one.size, solved, found)
    gives = _giving(one, symbol, solved)
    counts = _counts(gives, one, symbol)
    if len(counts) > 1:
        return None
    if counts:
        return _admitted(one, symbol, counts[0] * symbol.multiple, solved, found)
    return _no_whole(one, symbol, gives, found)


def _giving(one: _Equation, symbol: Symbol, solved: Mapping[str, Solved]) -> Callable[[int], int]:
    """The size of an axis as a function of the count of multiples of its one unknown dim."""
    known = {name: given.size for name, given in solved.items()}

    def gives(count: int) -> int:
        return one.dim.value({**known, symbol.name: count * symbol.multiple})

    return gives


def _no_whole(one: _Equation, symbol: Symbol, gives: Callable[[int], int], found: Collector) -> bool:
    """Report E717 with the nearest sizes."""
    message = f"{one}, expected {one.dim}: no whole `{symbol.name}` gives that size"
    found.error("E717", message, None, notes=_near(gives, one, symbol))
    return False


def _admitted(one: _Equation, symbol: Symbol, size: int, solved: dict[str, Solved], found: Collector) -> bool:
    """Record a size that is in range and a multiple; otherwise report E716 or E717."""
    place = f"`{symbol.name}` is {size} in `{one.place}`"
    notes = [] if alone(one.dim) == symbol else [f"{one}, which is {one.dim}"]
    if not admits(symbol, size, place, found, notes):
        return False
    solved[symbol.name] = Solved(size=size, place=one.place)
    return True


def admits(symbol: Symbol, size: int, place: str, found: Collector, notes: Sequence[str] = ()) -> bool:
    """Whether a dim admits a size, of which `place` says where it stands; otherwise report E716 or E717."""
    if not symbol.min <= size <= symbol.max:
        found.error("E716", f"{place}, expected {symbol.min} to {symbol.max}", None, notes=notes)
        return False
    if size % symbol.multiple:
        found.error("E717", f"{place}, expected a multiple of {symbol.multiple}", None, notes=notes)
        return False
    return True


def _counts(gives: Callable[[int], int], one: _Equation, symbol: Symbol) -> list[int]:
    """Counts of multiples at which an axis has its size: the only one, even outside the range, or two of several."""
    # A rising polynomial has at most one solution, found by bisection. Outside its range it is reported as such.
    if _rises(one.dim, symbol):
        count = _last_at_most(gives, one.size)
        return [] if gives(count) != one.size else [count]
    return list(_fitting(gives, one, symbol)[:2])


def _fitting(gives: Callable[[int], int], one: _Equation, symbol: Symbol) -> Sequence[int]:
    """The counts of multiples in the dim's range at which an axis has its size, in ascending order."""
    least, most = symbol.bounds()
    counts = range(least, most + 1)
    period = _period(one.dim.terms) if _climbs(one.dim.terms) else None
    if period is None or period > len(counts) // 64:
        return [count for count in counts if gives(count) == one.size]
    # Counts of one remainder make a size that never falls, and have theirs in one run, which bisection finds also in a
    # range of many millions.
    runs = [_run(counts[start::period], gives, one.size) for start in range(period)]
    return runs[0] if period == 1 else sorted(count for run in runs for count in run)


def _run(counts: range, gives: Callable[[int], int], size: int) -> range:
    """The counts that give a size, where sizes never fall."""
    return counts[bisect_left(counts, size, key=gives) : bisect_right(counts, size, key=gives)]


def _climbs(terms: Terms) -> bool:
    """Whether a polynomial never falls where its dims grow by multiples of `_period`.

    Remainders then stay the same; other terms have positive factors, quotients have positive divisors and numerators
    that climb, and products have no factor below 0.
    """
    return all(
        all(isinstance(atom, Mod) for atom in atoms)
        or (
            factor > 0
            and all(not isinstance(atom, FloorDiv) or _climbs_quotient(atom) for atom in atoms)
            and (len(atoms) < 2 or all(atom.bounds()[0] >= 0 for atom in atoms))
        )
        for atoms, factor in terms.items()
    )


def _climbs_quotient(atom: FloorDiv) -> bool:
    divisor = constant(atom.den)
    return divisor is not None and divisor > 0 and _climbs(atom.num)


def _period(terms: Terms) -> int | None:
    """A step of the dims that leaves all remainders in a polynomial the same; None where a divisor is not fixed.

    A polynomial in a dim that grows by a multiple of p grows by a multiple of p. A quotient by d of what grows by a
    multiple of d*p grows by a multiple of p; so the divisors of what is nested multiply.
    """
    quotients = [atom for atoms in terms for atom in atoms if isinstance(atom, (FloorDiv, Mod))]
    # Without remainders there is nothing to keep the same: a quotient that climbs does so at every step.
    return _step(quotients) if any(map(_has_remainder, quotients)) else 1


def _has_remainder(atom: FloorDiv | Mod) -> bool:
    inner = (found for atoms in (*atom.num, *atom.den) for found in atoms if isinstance(found, (FloorDiv, Mod)))
    return isinstance(atom, Mod) or any(map(_has_remainder, inner))


def _step(quotients: Sequence[FloorDiv | Mod]) -> int | None:
    step = 1
    for atom in quotients:
        divisor = constant(atom.den)
        inner = _step([found for atoms in atom.num for found in atoms if isinstance(found, (FloorDiv, Mod))])
        if divisor is None or divisor <= 0 or inner is None:
            return None
        step = lcm(step, divisor * inner)
    return step


def _rises(dim: Dim, symbol: Symbol) -> bool:
    """Whether a size is a polynomial that strictly rises with a dim: all its terms with the dim are positive, no
    quotients.
    """
    terms = [(atoms, factor) for atoms, factor in dim.terms.items() if any(symbol in atom.symbols() for atom in atoms)]
    return all(factor > 0 and all(isinstance(atom, Symbol) for atom in atoms) for atoms, factor in terms)


def _last_at_most(gives: Callable[[int], int], size: int) -> int:
    """The largest count, at least 0, whose size is at most a given one; sizes must rise with counts."""
    high = 1
    while high < _MOST_SIZE and gives(high) <= size:
        high *= 2
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if gives(middle) <= size else (low, middle)
    return low


def _near(gives: Callable[[int], int], one: _Equation, symbol: Symbol) -> list[str]:
    """The solvable sizes just below and above, where sizes rise with the dim."""
    if not _rises(one.dim, symbol):
        return [f"`{symbol.name}` ranges from {symbol.min} to {symbol.max}"]
    least, most = symbol.bounds()
    low = _last_at_most(gives, one.size)
    near = [count for count in (low, low + 1) if least <= count <= most] or [min(max(low, least), most)]
    return [f"`{symbol.name}` = {count * symbol.multiple} gives {gives(count)}" for count in near]
