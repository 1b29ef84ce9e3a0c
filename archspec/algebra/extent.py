"""Bounds of a polynomial that use the dependence between a quotient and its numerator.

In `s - 4 * (s // 4)` the box of `s` and `s // 4` allows far more values than 0 to 3, the values that occur.
"""

from __future__ import annotations

from archspec.algebra import box
from archspec.algebra.polynomial import (
    Indeterminate,
    Terms,
    atoms,
    combined,
    constant,
    divide,
    leading,
    multiply,
    scaled,
    substitute,
)
from archspec.algebra.quotient import FloorDiv, Mod, Quotient, floor_divide, modulo

_ROUNDS = 4


def bounds(terms: Terms) -> tuple[int, int]:
    """Lower and upper bound over the declared ranges: never exceeded, and exact in the common cases."""
    low, high = box.bounds(terms)
    if len(terms) > 1 and any(isinstance(atom, Quotient) for atom in atoms(terms)):
        for rewritten, scale in (_without_floors(terms), (_without_mods(terms), 1)):
            below, above = box.bounds(rewritten)
            # The rewritten polynomial is `scale` times an integer, so its bounds are divided and rounded inwards.
            low, high = max(low, -(-below // scale)), min(high, above // scale)
    return low, high


def _without_floors(terms: Terms) -> tuple[Terms, int]:
    """The polynomial times a positive integer `scale`, with `num // d` written as `(num - num % d) / d`.

    Returns the rewritten polynomial and `scale`. A numerator may hold floor divisions itself: at most `_ROUNDS` levels
    are rewritten, and what is left stays an independent atom, which is sound.
    """
    scale = 1
    for _ in range(_ROUNDS):
        for atom in atoms(terms):
            if isinstance(atom, FloorDiv):
                terms, factor = _replace_floor(terms, atom)
                scale *= factor
    return terms, scale


def _replace_floor(terms: Terms, atom: FloorDiv) -> tuple[Terms, int]:
    """One floor division replaced; the polynomial unchanged, with factor 1, where the division is not exact."""
    cofactor, rest = _split(terms, atom)
    exact = combined(atom.num, modulo(atom.num, atom.den), -1)
    if not any(atom in monomial for monomial in cofactor) and atom.den[leading(atom.den)] > 0:
        quotient, left = divide(cofactor, atom.den)
        if not left:
            return combined(rest, multiply(quotient, exact)), 1
        # Only an integer denominator may scale the whole polynomial: a size would change its bounds.
        factor = constant(atom.den)
        if factor is not None:
            return combined(scaled(rest, factor), multiply(cofactor, exact)), factor
    return terms, 1


def _split(terms: Terms, atom: Indeterminate) -> tuple[Terms, Terms]:
    """`cofactor, rest` with `terms = cofactor * atom + rest`."""
    rest = {monomial: c for monomial, c in terms.items() if atom not in monomial}
    cofactor = {}
    for monomial, c in terms.items():
        if atom in monomial:
            place = monomial.index(atom)
            cofactor[monomial[:place] + monomial[place + 1 :]] = c
    return cofactor, rest


def _without_mods(terms: Terms) -> Terms:
    """The polynomial with `num % d` written as `num - d * (num // d)`."""
    for atom in atoms(terms):
        if isinstance(atom, Mod):
            exact = multiply(atom.den, floor_divide(atom.num, atom.den))
            terms = substitute(terms, atom, combined(atom.num, exact, -1))
    return terms
