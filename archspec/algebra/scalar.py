"""Exact numbers that may depend on sizes: quotients of sizes, or expression trees where a root is irrational.

They are the scales and bases of a spec, such as `1 / sqrt(head_dim)`: exact until they are evaluated or written.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from fractions import Fraction

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.polynomial import cancel, common_monomial, content, divide, leading, scaled
from archspec.algebra.root import square_root

SizeText = Callable[[Dim], str]
"""A function that gives the Python source of a size; brackets are added here where they are needed."""


class Scalar(ABC):
    """An exact number: a quotient of sizes in lowest terms (`Ratio`), or a tree (`Root`, `BinaryScalar`).

    The operators `+ - * / // %` accept numbers, sizes, symbols, fractions and integers, and raise ZeroDivisionError
    where the divisor is zero.
    """

    __slots__ = ()

    @staticmethod
    def of(value: Number) -> Scalar:
        """A number from an integer, a fraction, a size or a number. Raises TypeError for any other type."""
        if isinstance(value, Scalar):
            return value
        if isinstance(value, Fraction):
            return Ratio(Dim.of(value.numerator), Dim.of(value.denominator))
        return Ratio(Dim.of(value), _ONE)

    def __add__(self, other: Number) -> Scalar:
        return _combine("+", self, other)

    def __radd__(self, other: Number) -> Scalar:
        return _combine("+", other, self)

    def __sub__(self, other: Number) -> Scalar:
        return _combine("-", self, other)

    def __rsub__(self, other: Number) -> Scalar:
        return _combine("-", other, self)

    def __mul__(self, other: Number) -> Scalar:
        return _combine("*", self, other)

    def __rmul__(self, other: Number) -> Scalar:
        return _combine("*", other, self)

    def __truediv__(self, other: Number) -> Scalar:
        return _combine("/", self, other)

    def __rtruediv__(self, other: Number) -> Scalar:
        return _combine("/", other, self)

    def __floordiv__(self, other: Number) -> Scalar:
        return _combine("//", self, other)

    def __rfloordiv__(self, other: Number) -> Scalar:
        return _combine("//", other, self)

    def __mod__(self, other: Number) -> Scalar:
        return _combine("%", self, other)

    def __rmod__(self, other: Number) -> Scalar:
        return _combine("%", other, self)

    def __neg__(self) -> Scalar:
        return _combine("*", -1, self)

    def sqrt(self) -> Scalar:
        """The square root; exact for perfect squares. Raises ValueError for a negative constant."""
        value = self.constant()
        if value is not None and value < 0:
            raise ValueError("square root of a negative number")
        return Root(self)

    def as_dim(self) -> Dim | None:
        """The number as a size; None where it has a denominator or an irrational root."""
        return None

    def vanishing(self) -> Dim | None:
        """A size that is zero exactly where the number is; None where the number has no such form."""
        return None

    @abstractmethod
    def symbols(self) -> frozenset[Symbol]:
        """The run-time sizes that the number depends on."""

    @abstractmethod
    def evaluate(self, sizes: Mapping[str, int]) -> float:
        """The number at given real sizes of the symbols, as a float.

        Raises KeyError and ValueError as `Dim.value` does, ZeroDivisionError for a zero denominator, and ValueError for
        the root of a negative number.
        """

    def constant(self) -> Fraction | float | None:
        """The value where it does not depend on sizes, else None; exact where no root is involved."""
        return None if self.symbols() else self.evaluate({})

    def python(self, size: SizeText) -> str:
        """Python source with the float value of `evaluate`; it uses `math` where a root is involved."""
        return self.source(size)[0]

    @abstractmethod
    def source(self, size: SizeText) -> tuple[str, int]:
        """Source, and the binding strength of its outermost operator: 0 sum, 1 product, 2 needs no parentheses."""

    def __str__(self) -> str:
        """A number as a file could write it, or its formula."""
        exact = None if self.as_dim() is not None else self.constant()
        return f"{float(exact):g}" if exact is not None else self.python(str)

    def __repr__(self) -> str:
        return f"Scalar({self.python(str)})"


Number = Scalar | Dim | Symbol | Fraction | int
_NUMBERS = (Scalar, Dim, Symbol, Fraction, int)
_ONE = Dim.of(1)


class Ratio(Scalar):
    """A quotient of sizes.

    Factors that exact division finds are cancelled; the leading coefficient of `den` is positive.
    """

    __slots__ = ("den", "num")

    def __init__(self, num: Dim, den: Dim) -> None:
        self.num, self.den = (num, den) if den == 1 else _lowest_terms(num, den)

    def sqrt(self) -> Scalar:
        """The square root; exact for squares of rational numbers and of polynomials that are never negative."""
        num, den = square_root(self.num), square_root(self.den)
        return super().sqrt() if num is None or den is None else Ratio(num, den)

    def as_dim(self) -> Dim | None:
        """The number as a size, or None where it has a denominator."""
        return self.num if self.den == 1 else None

    def vanishing(self) -> Dim | None:
        """The numerator."""
        return self.num

    def symbols(self) -> frozenset[Symbol]:
        """The run-time sizes this depends on."""
        return self.num.symbols() | self.den.symbols()

    def evaluate(self, sizes: Mapping[str, int]) -> float:
        """The quotient, rounded to a float once."""
        return self.num.value(sizes) / self.den.value(sizes)

    def constant(self) -> Fraction | None:
        """The fraction, or None where it depends on sizes."""
        num, den = self.num.constant, self.den.constant
        return None if num is None or den is None else Fraction(num, den)

    def source(self, size: SizeText) -> tuple[str, int]:
        """An integer, an exact decimal or a quotient."""
        value = self.constant()
        if value is not None:
            return _decimal(value)
        if self.den == 1:
            text = _size_source(self.num, size)
            return text, 2 if _is_primary(text) else 0
        parts = (_size_source(self.num, size), _size_source(self.den, size))
        return " / ".join(part if _is_primary(part) else f"({part})" for part in parts), 1

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Ratio):
            # `_lowest_terms` does not find every common factor, so equal quotients may differ in form.
            return self.num * other.den == other.num * self.den
        if isinstance(other, (Dim, int, Fraction)):
            return self == Scalar.of(other)
        return NotImplemented

    def __hash__(self) -> int:
        if self.den == 1:
            return hash(self.num)
        # Equal quotients may be written with different polynomials.
        value = self.constant()
        return hash(Ratio) if value is None else hash(value)


class Root(Scalar):
    """The square root of a number that is irrational or not known to be a square."""

    __slots__ = ("inner",)

    def __init__(self, inner: Scalar) -> None:
        self.inner = inner

    def vanishing(self) -> Dim | None:
        """What is zero where the number under the root is."""
        return self.inner.vanishing()

    def symbols(self) -> frozenset[Symbol]:
        """The run-time sizes this depends on."""
        return self.inner.symbols()

    def evaluate(self, sizes: Mapping[str, int]) -> float:
        """The root, rounded by `math.sqrt`."""
        return math.sqrt(self.inner.evaluate(sizes))

    def source(self, size: SizeText) -> tuple[str, int]:
        """A call of `math.sqrt`."""
        return f"math.sqrt({self.inner.python(size)})", 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Root) and self.inner == other.inner

    def __hash__(self) -> int:
        return hash(("sqrt", self.inner))


_APPLY: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


class BinaryScalar(Scalar):
    """An operation on two numbers at least one of which involves a root."""

    __slots__ = ("left", "op", "right")

    def __init__(self, op: str, left: Scalar, right: Scalar) -> None:
        self.op = op
        self.left = left
        self.right = right

    def applied(self, left: Scalar, right: Scalar) -> Scalar:
        """The same operation on two other numbers."""
        return _combine(self.op, left, right)

    def symbols(self) -> frozenset[Symbol]:
        """The run-time sizes this depends on."""
        return self.left.symbols() | self.right.symbols()

    def evaluate(self, sizes: Mapping[str, int]) -> float:
        """The operation, in float arithmetic."""
        return _APPLY[self.op](self.left.evaluate(sizes), self.right.evaluate(sizes))

    def source(self, size: SizeText) -> tuple[str, int]:
        """The operation, with operands in parentheses where Python needs them."""
        binding = 0 if self.op in "+-" else 1
        left, left_binding = self.left.source(size)
        right, right_binding = self.right.source(size)
        left = left if left_binding >= binding else f"({left})"
        # Strict on the right: `a - (b - c)` and `a / (b / c)` need their parentheses.
        right = right if right_binding > binding else f"({right})"
        return f"{left} {self.op} {right}", binding

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, BinaryScalar) and self.op == other.op
        return same and isinstance(other, BinaryScalar) and (self.left, self.right) == (other.left, other.right)

    def __hash__(self) -> int:
        return hash((self.op, self.left, self.right))


def _combine(op: str, left: Number, right: Number) -> Scalar:
    """The result of an operator, folded where a rule applies; NotImplemented for an operand of another type."""
    if not isinstance(left, _NUMBERS) or not isinstance(right, _NUMBERS):
        return NotImplemented
    left, right = Scalar.of(left), Scalar.of(right)
    if op in ("/", "//", "%") and right == _ZERO:
        raise ZeroDivisionError("division of a number by zero")
    if isinstance(left, Ratio) and isinstance(right, Ratio):
        return _rational(op, left, right)
    folded = _identity(op, left, right)
    return BinaryScalar(op, left, right) if folded is None else folded


def _rational(op: str, left: Ratio, right: Ratio) -> Scalar:
    """The operation on two quotients, which stays a quotient."""
    if op == "*":
        return Ratio(left.num * right.num, left.den * right.den)
    if op == "/":
        return Ratio(left.num * right.den, left.den * right.num)
    if op == "//":
        return Ratio((left.num * right.den) // (left.den * right.num), _ONE)
    num, other = left.num * right.den, right.num * left.den
    if op == "%":
        return Ratio(num % other, left.den * right.den)
    return Ratio(num + other if op == "+" else num - other, left.den * right.den)


def _identity(op: str, left: Scalar, right: Scalar) -> Scalar | None:
    """The result of an operation with 0 or 1 or of a number with itself; None where it must be computed."""
    if (op in "+-" and right == _ZERO) or (op in "*/" and right == _UNIT):
        return left
    if (op == "+" and left == _ZERO) or (op == "*" and left == _UNIT):
        return right
    if op in ("*", "/", "//", "%") and (left == _ZERO or right == _ZERO):
        return _ZERO
    if left != right:
        return None
    if op == "*" and isinstance(left, Root):
        return left.inner
    return {"-": _ZERO, "/": _UNIT, "//": _UNIT, "%": _ZERO}.get(op)


_ZERO: Scalar = Ratio(Dim.of(0), _ONE)
_UNIT: Scalar = Ratio(_ONE, _ONE)


def _lowest_terms(num: Dim, den: Dim) -> tuple[Dim, Dim]:
    """Both polynomials with common factors cancelled, as far as exact division finds them.

    Raises ZeroDivisionError where `den` is zero.
    """
    if den == 0:
        raise ZeroDivisionError("division of a number by zero")
    if num == 0:
        return num, _ONE
    if den.terms[leading(den.terms)] < 0:
        num, den = -num, -den
    shared, above, below = common_monomial(num.terms, den.terms), content(num.terms), content(den.terms)
    top, bottom = cancel(num.terms, above, shared), cancel(den.terms, below, shared)
    # There is no general gcd of polynomials here: only a denominator that divides the numerator, or a numerator that
    # divides the denominator, is cancelled. Equality therefore cross-multiplies.
    whole, rest = divide(top, bottom)
    if not rest:
        top, bottom = whole, dict(_ONE.terms)
    elif len(bottom) > 1:
        sign = -1 if top[leading(top)] < 0 else 1
        part, rest = divide(bottom, scaled(top, sign))
        top, bottom = (top, bottom) if rest else (dict(Dim.of(sign).terms), part)
    factor = math.gcd(above, below)
    return Dim(scaled(top, above // factor)), Dim(scaled(bottom, below // factor))


def _decimal(value: Fraction) -> tuple[str, int]:
    """Source of a fraction, and its binding strength: an integer, a decimal where that is exact, else a quotient."""
    if value.denominator == 1:
        return str(value.numerator), 2 if value >= 0 else 1
    try:
        text = repr(float(value))
    except OverflowError:
        text = "inf"
    if text != "inf" and Fraction(text) == value:
        return text, 2 if value >= 0 else 1
    return f"{value.numerator} / {value.denominator}", 1


def _size_source(dim: Dim, size: SizeText) -> str:
    whole = dim.constant
    return size(dim) if whole is None else str(whole)


def _is_primary(text: str) -> bool:
    """Whether the source needs no parentheses as an operand: no operator or space outside brackets."""
    depth = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if depth == 0 and not (character.isalnum() or character in "._)]"):
            return False
    return True
