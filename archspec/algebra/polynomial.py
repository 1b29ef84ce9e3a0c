"""Integer polynomials over atoms, as maps from a monomial to its coefficient.

A monomial is the tuple of its atoms, repeated by their powers and sorted by their keys: `s*s*t` is `(s, s, t)` and 1 is
`()`. Zero coefficients are never stored, so two polynomials are equal as functions of their atoms exactly when the maps
are equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from math import gcd
from typing import Any


class Indeterminate(ABC):
    """An atom of a polynomial: one unknown integer, a symbol or an unresolved quotient.

    `key` defines the order of atoms; two atoms have the same key only if they are equal.
    """

    __slots__ = ()

    # A total order over atoms makes the form of a polynomial unique, and the same in every run.
    key: tuple[Any, ...]

    @abstractmethod
    def bounds(self) -> tuple[int, int]:
        """Least and greatest value over the declared ranges."""

    @abstractmethod
    def value(self, sizes: Mapping[str, int]) -> int:
        """Value at given real sizes of the symbols, by name."""

    @abstractmethod
    def typical_value(self) -> int:
        """Value at the typical sizes."""

    @abstractmethod
    def symbols(self) -> Iterator[Indeterminate]:
        """The run-time sizes that it depends on."""

    @abstractmethod
    def text(self, coefficient: int, name: Naming) -> tuple[str, int, int]:
        """Text of the atom, its binding strength (see `printing`), and what is left of a positive coefficient."""


Monomial = tuple[Indeterminate, ...]
Terms = Mapping[Monomial, int]
Naming = Callable[[str], str]


def _key(atom: Indeterminate) -> tuple[Any, ...]:
    return atom.key


def order(monomial: Monomial) -> tuple[int, list[tuple[Any, ...]]]:
    """Sort key of a monomial: higher degree first, then the keys of its atoms (graded lexicographic order)."""
    return -len(monomial), [atom.key for atom in monomial]


def terms_key(terms: Terms) -> tuple[Any, ...]:
    """Sort key of a polynomial; only equal polynomials share it."""
    return tuple((order(monomial), terms[monomial]) for monomial in sorted(terms, key=order))


def constant(terms: Terms) -> int | None:
    """The integer value of a polynomial, or None where it contains an atom."""
    if not terms:
        return 0
    return terms.get(()) if len(terms) == 1 else None


def atoms(terms: Terms) -> list[Indeterminate]:
    """The atoms of a polynomial, without repetition, in the order of their first occurrence."""
    return list(dict.fromkeys(atom for monomial in terms for atom in monomial))


def scaled(terms: Terms, factor: int) -> Terms:
    """An integer multiple of a polynomial."""
    return {monomial: factor * c for monomial, c in terms.items()} if factor else {}


def combined(left: Terms, right: Terms, factor: int = 1) -> dict[Monomial, int]:
    """`left + factor * right`."""
    result = dict(left)
    accumulate(result, right, factor)
    return result


def evaluate(terms: Terms, value: Callable[[Indeterminate], int]) -> int:
    """Value of a polynomial, `value` giving that of each atom."""
    total = 0
    for monomial, coefficient in terms.items():
        for atom in monomial:
            coefficient *= value(atom)
        total += coefficient
    return total


def times(left: Monomial, right: Monomial) -> Monomial:
    """Product of two monomials, sorted by key."""
    if not left or not right:
        return left or right
    return tuple(sorted(left + right, key=_key))


def over(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """Quotient of two monomials; None where `divisor` does not divide `monomial`."""
    rest = list(monomial)
    for atom in divisor:
        if atom not in rest:
            return None
        rest.remove(atom)
    return tuple(rest)


def accumulate(into: dict[Monomial, int], terms: Terms, factor: int = 1, shift: Monomial = ()) -> None:
    """Add `factor * shift * terms` to a polynomial in place."""
    for monomial, coefficient in terms.items():
        target = times(monomial, shift)
        total = into.get(target, 0) + factor * coefficient
        if total:
            into[target] = total
        else:
            # Zero coefficients must not be stored: equality of polynomials is equality of the maps.
            into.pop(target, None)


def multiply(left: Terms, right: Terms) -> dict[Monomial, int]:
    """Product of two polynomials."""
    result: dict[Monomial, int] = {}
    for monomial, coefficient in right.items():
        accumulate(result, left, coefficient, monomial)
    return result


def leading(terms: Terms) -> Monomial:
    """The first monomial in the printed order. `terms` must not be empty."""
    return next(iter(terms)) if len(terms) == 1 else min(terms, key=order)


def divide(numerator: Terms, denominator: Terms) -> tuple[dict[Monomial, int], dict[Monomial, int]]:
    """Quotient and remainder of integer polynomials, with `numerator = quotient * denominator + remainder`.

    The leading coefficient of `denominator` must be positive. Both results are unique: a term of the remainder that the
    leading monomial divides has a coefficient in 0 .. leading coefficient - 1.
    """
    lead = leading(denominator)
    tail = {monomial: c for monomial, c in denominator.items() if monomial != lead}
    rest, quotient, remainder = dict(numerator), {}, {}
    while rest:
        monomial = leading(rest)
        coefficient = rest.pop(monomial)
        # Monomials are taken in decreasing order and `tail` only adds smaller ones, so the loop ends.
        cofactor = over(monomial, lead)
        if cofactor is None:
            remainder[monomial] = coefficient
            continue
        whole, left = divmod(coefficient, denominator[lead])
        if left:
            remainder[monomial] = left
        if whole:
            quotient[cofactor] = whole
            accumulate(rest, tail, -whole, cofactor)
    return quotient, remainder


def content(terms: Terms) -> int:
    """Greatest common divisor of the coefficients."""
    return gcd(*terms.values())


def common_monomial(*polynomials: Terms) -> Monomial:
    """Greatest monomial that divides every term of all the polynomials, at least one of which is not zero."""
    monomials = [monomial for terms in polynomials for monomial in terms]
    shared = list(monomials[0])
    for monomial in monomials:
        if not shared:
            break
        left = list(monomial)
        kept = []
        for atom in shared:
            if atom in left:
                left.remove(atom)
                kept.append(atom)
        shared = kept
    return tuple(shared)


def cancel(terms: Terms, factor: int, monomial: Monomial) -> dict[Monomial, int]:
    """Divide a polynomial by an integer and a monomial, which must divide every term."""
    return {over(own, monomial) or (): c // factor for own, c in terms.items()}


def substitute(terms: Terms, atom: Indeterminate, replacement: Terms) -> dict[Monomial, int]:
    """The polynomial with `replacement` put in for every occurrence of an atom."""
    result: dict[Monomial, int] = {}
    for monomial, coefficient in terms.items():
        power = monomial.count(atom)
        part: dict[Monomial, int] = {tuple(own for own in monomial if own != atom): coefficient}
        for _ in range(power):
            part = multiply(part, replacement)
        accumulate(result, part)
    return result
