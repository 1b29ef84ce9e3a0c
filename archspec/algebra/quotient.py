"""Floor division and remainder of polynomials, rounded as Python rounds; what no rule resolves becomes an atom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd
from typing import Any

from archspec.algebra.box import bounds
from archspec.algebra.polynomial import (
    Indeterminate,
    Monomial,
    Naming,
    Terms,
    atoms,
    cancel,
    combined,
    common_monomial,
    constant,
    content,
    divide,
    evaluate,
    leading,
    multiply,
    scaled,
    substitute,
    terms_key,
)
from archspec.algebra.printing import PRIMARY, PRODUCT, QUOTIENT, render, wrapped


class Quotient(Indeterminate):
    """An unresolved quotient or remainder of two polynomials, with common factors cancelled."""

    __slots__ = ("_bounds", "_hash", "den", "key", "num")

    rank = 0
    sign = ""

    def __init__(self, num: Terms, den: Terms) -> None:
        self.num = num
        self.den = den
        # Numerator and denominator are in canonical form, so equal keys mean equal quotients.
        self.key: tuple[Any, ...] = (self.rank, terms_key(num), terms_key(den))
        self._hash = hash((self.rank, frozenset(num.items()), frozenset(den.items())))
        self._bounds: tuple[int, int] | None = None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Quotient) or self.rank != other.rank or self._hash != other._hash:
            return False
        return self.num == other.num and self.den == other.den

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return self.text(1, str)[0]

    def bounds(self) -> tuple[int, int]:
        """Least and greatest value where the denominator is not zero."""
        if self._bounds is None:
            self._bounds = self.between(bounds(self.num), bounds(self.den))
        return self._bounds

    def between(self, num: tuple[int, int], den: tuple[int, int]) -> tuple[int, int]:
        """Bounds of the result from bounds of the numerator and of the denominator."""
        raise TypeError(f"{type(self).__name__} is neither FloorDiv nor Mod")

    def symbols(self) -> Iterator[Indeterminate]:
        """Symbols of both parts."""
        for terms in (self.num, self.den):
            for atom in atoms(terms):
                yield from atom.symbols()

    def text(self, coefficient: int, name: Naming) -> tuple[str, int, int]:
        """`num//den` or `num % den`."""
        num = wrapped(*render(self.num, name), PRODUCT)
        return f"{num}{self.sign}{wrapped(*render(self.den, name), PRIMARY)}", QUOTIENT, coefficient


class FloorDiv(Quotient):
    """`num // den`, rounded down. Its values raise ZeroDivisionError where `den` is zero."""

    __slots__ = ()

    rank = 1
    sign = "//"

    def between(self, num: tuple[int, int], den: tuple[int, int]) -> tuple[int, int]:
        # The denominator is never 0 where the quotient has a value; its negative and its positive part each give a
        # quotient that is monotone in each argument, so the corners bound it.
        parts = [(den[0], min(den[1], -1)), (max(den[0], 1), den[1])]
        ends = [end for part in parts if part[0] <= part[1] for end in part]
        corners = [a // b for a in num for b in ends] or [0]
        return min(corners), max(corners)

    def value(self, sizes: Mapping[str, int]) -> int:
        """The quotient at these sizes."""
        return value_at(self.num, sizes) // value_at(self.den, sizes)

    def typical_value(self) -> int:
        """The quotient at the typical sizes."""
        return typical_at(self.num) // typical_at(self.den)


class Mod(Quotient):
    """`num % den`, with the sign of `den`. Its values raise ZeroDivisionError where `den` is zero."""

    __slots__ = ()

    rank = 2
    sign = " % "

    def between(self, num: tuple[int, int], den: tuple[int, int]) -> tuple[int, int]:
        low, high = min(den[0] + 1, 0), max(den[1] - 1, 0)
        # With a nonnegative numerator and divisor, the remainder is not above the numerator either.
        return low, min(high, num[1]) if num[0] >= 0 and den[0] >= 0 else high

    def value(self, sizes: Mapping[str, int]) -> int:
        """The remainder at these sizes."""
        return value_at(self.num, sizes) % value_at(self.den, sizes)

    def typical_value(self) -> int:
        """The remainder at the typical sizes."""
        return typical_at(self.num) % typical_at(self.den)


def value_at(terms: Terms, sizes: Mapping[str, int]) -> int:
    """Value of a polynomial at given real sizes of the symbols, by name."""
    return evaluate(terms, lambda atom: atom.value(sizes))


def typical_at(terms: Terms) -> int:
    """Value of a polynomial at the typical sizes."""
    return evaluate(terms, lambda atom: atom.typical_value())


def floor_divide(num: Terms, den: Terms) -> Terms:
    """`num // den` of polynomials, in lowest terms. Raises ZeroDivisionError where `den` is the constant zero.

    Rules, in order: exact division, bounds that leave one value, common factors, and nested quotients
    (`x//a//b` is `x//(a*b)`); what is left becomes a `FloorDiv` atom.
    """
    if _leads_negative(den):
        num, den = scaled(num, -1), scaled(den, -1)
    # `num = quotient * den + rest` holds for integers, so `num // den = quotient + rest // den`.
    quotient, rest = divide(num, den)
    if not rest:
        return quotient
    settled = _settled(rest, den)
    if settled is not None:
        return combined(quotient, settled)
    factor, monomial = _common(rest, den)
    if factor != 1 or monomial:
        lowered = floor_divide(_lowered(rest, factor, monomial), cancel(den, factor, monomial))
        return combined(quotient, lowered)
    nested = _nested(rest, den)
    return combined(quotient, floor_divide(*nested) if nested else {(FloorDiv(rest, den),): 1})


def modulo(num: Terms, den: Terms) -> Terms:
    """`num % den` of polynomials, by the rules of `floor_divide`.

    The sign is that of `den`, as in Python. Raises ZeroDivisionError where `den` is the constant zero.
    """
    if _leads_negative(den):
        return scaled(modulo(scaled(num, -1), scaled(den, -1)), -1)
    rest: Terms = divide(num, den)[1]
    settled = _settled(rest, den)
    if settled is not None:
        return combined(rest, multiply(den, settled), -1)
    factor, monomial = _common(rest, den)
    if factor != 1 or monomial:
        lowered = modulo(_lowered(rest, factor, monomial), cancel(den, factor, monomial))
        # `(g*x + c) % (g*d)` is `g * ((x + c//g) % d) + c % g`.
        left = rest.get((), 0) % factor
        return combined(multiply(lowered, {monomial: factor}), _integer(left))
    flat = _without_inner(rest, den)
    return modulo(flat, den) if flat is not rest else {(Mod(rest, den),): 1}


def _leads_negative(den: Terms) -> bool:
    """Whether the leading coefficient is negative; `divide` needs a positive one."""
    if not den:
        raise ZeroDivisionError("division of a size by zero")
    return den[leading(den)] < 0


def _settled(rest: Terms, den: Terms) -> Terms | None:
    """The quotient `rest // den` where bounds alone decide it, else None."""
    if not rest:
        return rest
    modulus = constant(den)
    if modulus is None:
        low, high = _between(rest, den)
        return _integer(low) if low == high else None
    # A coefficient near the modulus stands for a small negative one: `511*n // 512` is `n + (-n // 512)`.
    shift = {monomial: 1 for monomial, c in rest.items() if monomial and 2 * c > modulus}
    for whole in (shift, {}) if shift else ({},):
        low, high = FloorDiv(combined(rest, whole, -modulus), den).bounds()
        if low == high:
            return combined(whole, _integer(low))
    return None


def _between(rest: Terms, den: Terms) -> tuple[int, int]:
    """Bounds of `rest // den` for a `den` that is not constant and may depend on the same symbols as `rest`."""
    if bounds(den)[0] > 0:
        low, high = bounds(rest)
        if low >= 0 and bounds(combined(den, rest, -1))[0] > 0:
            return 0, 0
        if high < 0 and bounds(combined(den, rest))[0] >= 0:
            return -1, -1
    return FloorDiv(rest, den).bounds()


def _integer(value: int) -> Terms:
    return {(): value} if value else {}


def _common(rest: Terms, den: Terms) -> tuple[int, Monomial]:
    """The common factor of both: an integer and a monomial.

    For an integer `den` the constant of `rest` is ignored: `(g*x + c) // (g*d)` is `(x + c//g) // d`.
    """
    if constant(den) is not None:
        return gcd(content(den), *(c for monomial, c in rest.items() if monomial)), ()
    return gcd(content(den), content(rest)), common_monomial(rest, den)


def _lowered(rest: Terms, factor: int, monomial: Monomial) -> Terms:
    """`rest` divided by the common factor, its constant rounded down first."""
    left = rest.get((), 0) % factor
    return cancel(combined(rest, _integer(-left)), factor, monomial)


def _nested(rest: Terms, den: Terms) -> tuple[Terms, Terms] | None:
    """`(x//a + c) // b` as `(x + a*c) // (a*b)`, for positive integers a and b; None where it has another form."""
    inner = [monomial for monomial in rest if monomial]
    if constant(den) is None or len(inner) != 1 or len(inner[0]) != 1 or rest[inner[0]] != 1:
        return None
    atom = inner[0][0]
    if not isinstance(atom, FloorDiv) or constant(atom.den) is None:
        return None
    shift = scaled(atom.den, rest.get((), 0))
    return combined(atom.num, shift), multiply(atom.den, den)


def _without_inner(rest: Terms, den: Terms) -> Terms:
    """`rest` with `x % a` replaced by `x`, which does not change it modulo an integer `den` that divides a."""
    modulus = constant(den)
    for atom in atoms(rest) if modulus else ():
        outer = constant(atom.den) if isinstance(atom, Mod) else None
        if isinstance(atom, Mod) and outer is not None and modulus and outer % modulus == 0:
            rest = substitute(rest, atom, atom.num)
    return rest
