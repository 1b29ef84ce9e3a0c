"""Bounds of a polynomial in which every atom ranges over an interval independently of the others.

Ignoring how atoms depend on each other enlarges the set of values, so the bounds hold but need not be reached;
`archspec.algebra.extent` tightens them for quotients.
"""

from __future__ import annotations

from itertools import groupby

from archspec.algebra.polynomial import Indeterminate, Terms, atoms, cancel, common_monomial, scaled, substitute

_BRANCHES = 4


def bounds(terms: Terms) -> tuple[int, int]:
    """Lower and upper bound of a polynomial over the box of its atoms' ranges.

    The bounds are never exceeded. They are exact where every atom is fixed by the sign of its derivative or is linear,
    with at most `_BRANCHES` of the linear ones.
    """
    if not terms:
        return 0, 0
    if len(terms) == 1:
        return _interval(terms)
    return _lower(terms, _BRANCHES), -_lower(scaled(terms, -1), _BRANCHES)


def _lower(terms: Terms, branches: int) -> int:
    """A lower bound of the polynomial; fixes one atom at a time at the end of its range that can hold the minimum."""
    if len(terms) <= 1:
        return _interval(terms)[0]
    linear: Indeterminate | None = None
    for atom in atoms(terms):
        low, high = atom.bounds()
        # A derivative of one sign on the whole box puts the minimum at one end of this atom's range.
        slope = _interval(_derivative(terms, atom))
        if slope[0] >= 0 or low == high:
            return _lower(_fix(terms, atom, low), branches)
        if slope[1] <= 0:
            return _lower(_fix(terms, atom, high), branches)
        # A polynomial that is linear in an atom has its minimum at one of the two ends, but which one may
        # depend on the other atoms: both are tried below.
        if all(monomial.count(atom) <= 1 for monomial in terms):
            linear = atom
    if linear is None or not branches:
        # Both are lower bounds, so the greater one is one too.
        return max(_interval(terms)[0], _factored({m: c for m, c in terms.items() if m}) + terms.get((), 0))
    return min(_lower(_fix(terms, linear, end), branches - 1) for end in linear.bounds())


def _fix(terms: Terms, atom: Indeterminate, at: int) -> Terms:
    return substitute(terms, atom, {(): at} if at else {})


def _derivative(terms: Terms, atom: Indeterminate) -> Terms:
    """The partial derivative with respect to one atom."""
    result: dict[tuple[Indeterminate, ...], int] = {}
    for monomial, coefficient in terms.items():
        power = monomial.count(atom)
        if power:
            place = monomial.index(atom)
            result[monomial[:place] + monomial[place + 1 :]] = power * coefficient
    return result


def _interval(terms: Terms) -> tuple[int, int]:
    """Interval arithmetic over the monomials: sound, but each monomial is bounded on its own."""
    low = high = 0
    for monomial, coefficient in terms.items():
        ends = (coefficient, coefficient)
        for atom, group in groupby(monomial):
            ends = times(ends, power(atom.bounds(), sum(1 for _ in group)))
        low, high = low + ends[0], high + ends[1]
    return low, high


def _factored(terms: Terms) -> int:
    """A lower bound by interval arithmetic after the common monomial is factored out."""
    shared = common_monomial(terms)
    if not shared:
        return _interval(terms)[0]
    return times(_interval({shared: 1}), _interval(cancel(terms, 1, shared)))[0]


def power(ends: tuple[int, int], power: int) -> tuple[int, int]:
    """The range of `x ** power` for x in an interval; an even power of an interval that contains 0 reaches 0."""
    low, high = sorted((ends[0] ** power, ends[1] ** power))
    return (0 if power % 2 == 0 and ends[0] < 0 < ends[1] else low), high


def times(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """The range of a product of two factors in intervals."""
    corners = [a * b for a in left for b in right]
    return min(corners), max(corners)
