"""Sizes: integer polynomials over the run-time dims, in canonical form.

`s*t + 2*s` is stored as the map `{(s, t): 1, (s,): 2}` (see `archspec.algebra.polynomial`). Floor division and
remainder are resolved where a rule applies and otherwise kept as atoms (`archspec.algebra.quotient`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from archspec.algebra.extent import bounds
from archspec.algebra.polynomial import Naming, Terms, accumulate, constant, content, multiply, scaled
from archspec.algebra.printing import render
from archspec.algebra.quotient import FloorDiv, Mod, floor_divide, modulo, typical_at, value_at
from archspec.algebra.symbol import Symbol

__all__ = ["Dim", "FloorDiv", "Mod", "Symbol", "compare", "product"]


class Dim:
    """A size: an immutable integer polynomial over symbols and unresolved quotients.

    Equal polynomials compare equal: `(s + 1) * (s - 1) == s * s - 1`. Two different polynomials may still be the same
    function where they contain quotients; `compare` decides more cases. `//` and `%` round as Python's do and raise
    ZeroDivisionError for the constant 0.
    """

    __slots__ = ("_bounds", "_hash", "constant", "terms")

    constant: int | None
    """The integer value, or None where the size depends on a symbol."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        # Asked for more often than anything else of a size, so it is not a property.
        self.constant = constant(terms)
        self._hash: int | None = None
        self._bounds: tuple[int, int] | None = None

    @staticmethod
    def of(value: Dim | Symbol | int) -> Dim:
        """A size from a size, a symbol or an integer. Raises TypeError for anything else."""
        if isinstance(value, Dim):
            return value
        if isinstance(value, int):
            return _constant(int(value))
        if isinstance(value, Symbol):
            return Dim({(value,): value.multiple})
        raise TypeError(f"not a size: {value!r}")

    @property
    def is_constant(self) -> bool:
        """Whether the size is an integer."""
        return self.constant is not None

    def __add__(self, other: Dim | Symbol | int) -> Dim:
        if not isinstance(other, _SIZES):
            return NotImplemented
        other = Dim.of(other)
        if self.constant is not None and other.constant is not None:
            return _constant(self.constant + other.constant)
        if not other.terms or not self.terms:
            return self if self.terms else other
        result = dict(self.terms)
        accumulate(result, other.terms)
        return Dim(result)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Dim(scaled(self.terms, -1))

    def __sub__(self, other: Dim | Symbol | int) -> Dim:
        return self + -Dim.of(other) if isinstance(other, _SIZES) else NotImplemented

    def __rsub__(self, other: Symbol | int) -> Dim:
        return Dim.of(other) - self if isinstance(other, _SIZES) else NotImplemented

    def __mul__(self, other: Dim | Symbol | int) -> Dim:
        if not isinstance(other, _SIZES):
            return NotImplemented
        other = Dim.of(other)
        whole, factor = self.constant, other.constant
        if factor is None:
            return Dim(multiply(self.terms, other.terms)) if whole is None else other * self
        if whole is not None:
            return _constant(whole * factor)
        return self if factor == 1 else Dim(scaled(self.terms, factor))

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim | Symbol | int) -> Dim:
        if not isinstance(other, _SIZES):
            return NotImplemented
        other = Dim.of(other)
        whole, divisor = self.constant, other.constant
        if whole is not None and divisor:
            return _constant(whole // divisor)
        return Dim(floor_divide(self.terms, other.terms))

    def __rfloordiv__(self, other: Symbol | int) -> Dim:
        return Dim.of(other) // self if isinstance(other, _SIZES) else NotImplemented

    def __mod__(self, other: Dim | Symbol | int) -> Dim:
        if not isinstance(other, _SIZES):
            return NotImplemented
        return Dim(modulo(self.terms, Dim.of(other).terms))

    def __rmod__(self, other: Symbol | int) -> Dim:
        return Dim.of(other) % self if isinstance(other, _SIZES) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Dim):
            return self.terms == other.terms
        return self.constant == other if isinstance(other, int) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            whole = self.constant
            self._hash = hash(frozenset(self.terms.items())) if whole is None else hash(whole)
        return self._hash

    def __str__(self) -> str:
        return render(self.terms, str)[0]

    def __repr__(self) -> str:
        return f"Dim({self})"

    def spelled(self, name: Naming) -> str:
        """Python source of the size.

        `name` maps the name of a symbol to its source, which must be a name, a call or a subscript.
        """
        return render(self.terms, name)[0]

    def value(self, sizes: Mapping[str, int]) -> int:
        """The size at given real sizes of the symbols (positions, pixels; not divided by `multiple`).

        Raises KeyError for a symbol without a size, ValueError for a size that is not a multiple of the symbol's
        `multiple`, ZeroDivisionError where a divisor is 0 at these sizes.
        """
        return value_at(self.terms, sizes)

    def typical(self) -> int:
        """The size at the typical sizes."""
        return typical_at(self.terms)

    def bounds(self) -> tuple[int, int]:
        """Lower and upper bound over the declared ranges of the symbols: never exceeded, not always reached."""
        if self._bounds is None:
            self._bounds = bounds(self.terms)
        return self._bounds

    def minimum(self) -> int:
        """Lower bound over the declared ranges."""
        return self.bounds()[0]

    def maximum(self) -> int:
        """Upper bound over the declared ranges."""
        return self.bounds()[1]

    def symbols(self) -> frozenset[Symbol]:
        """The run-time sizes that this size depends on."""
        if self.constant is not None:
            return _NO_SYMBOLS
        found = (symbol for monomial in self.terms for atom in monomial for symbol in atom.symbols())
        return frozenset(symbol for symbol in found if isinstance(symbol, Symbol))


_SIZES = (Dim, int, Symbol)
_NO_SYMBOLS: frozenset[Symbol] = frozenset()


@lru_cache(maxsize=4096)
def _constant(value: int) -> Dim:
    return Dim({(): value} if value else {})


def product(dims: Iterable[Dim | Symbol | int]) -> Dim:
    """The product of sizes; 1 for an empty sequence."""
    whole, result = 1, None
    for dim in map(Dim.of, dims):
        # Most sizes are integers, whose product costs nothing.
        if dim.constant is not None:
            whole *= dim.constant
        else:
            result = dim if result is None else result * dim
    return _constant(whole) if result is None else result * whole


def compare(a: Dim | Symbol | int, op: str, b: Dim | Symbol | int) -> bool | None:
    """Whether `a op b` holds at all admitted sizes (True) or at none (False); None where neither is shown.

    `op` is one of == != < <= > >=. A None is not a statement about the sizes: the bounds may be too wide to decide.
    Raises ValueError for another operator.
    """
    if op in ("!=", ">", ">="):
        opposite = compare(a, {"!=": "==", ">": "<=", ">=": "<"}[op], b)
        return None if opposite is None else not opposite
    if op not in ("==", "<", "<="):
        raise ValueError(f"unknown comparison {op!r}")
    difference = Dim.of(a) - Dim.of(b)
    whole = difference.constant
    low, high = difference.bounds() if whole is None else (whole, whole)
    if op == "==":
        return _is_zero(difference, low, high)
    limit = 0 if op == "<=" else -1
    if high <= limit:
        return True
    return False if low > limit else None


def _is_zero(difference: Dim, low: int, high: int) -> bool | None:
    if low == high:
        return low == 0
    # The difference is its constant plus a multiple of `step`: where the constant is no multiple, it is never zero.
    step = content({monomial: c for monomial, c in difference.terms.items() if monomial})
    return False if low > 0 or high < 0 or difference.terms.get((), 0) % step else None
