"""Sizes and numbers over other symbols."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.algebra.dim import Dim
from archspec.algebra.polynomial import Indeterminate
from archspec.algebra.quotient import FloorDiv, Mod
from archspec.algebra.scalar import BinaryScalar, Ratio, Root, Scalar
from archspec.algebra.symbol import Symbol

Symbols = Mapping[Symbol, Symbol]
"""The new symbol for each that is replaced; the new multiple must be a multiple of the old one."""


def substituted(size: Dim, symbols: Symbols) -> Dim:
    """A size with its symbols replaced."""
    if size.constant is not None:
        return size
    total = Dim.of(0)
    for monomial, coefficient in size.terms.items():
        part = Dim.of(coefficient)
        for atom in monomial:
            part = part * _atom(atom, symbols)
        total = total + part
    return total


def _atom(atom: Indeterminate, symbols: Symbols) -> Dim:
    match atom:
        case Symbol():
            # An atom is the size divided by its multiple, which divides that of the new symbol.
            return Dim.of(symbols.get(atom, atom)) // atom.multiple
        case FloorDiv():
            return substituted(Dim(atom.num), symbols) // substituted(Dim(atom.den), symbols)
        case Mod():
            return substituted(Dim(atom.num), symbols) % substituted(Dim(atom.den), symbols)
        case _:
            raise TypeError(f"not a part of a size: {atom!r}")


def substituted_number(number: Scalar, symbols: Symbols) -> Scalar:
    """A number with its symbols replaced."""
    match number:
        case Ratio():
            return Scalar.of(substituted(number.num, symbols)) / substituted(number.den, symbols)
        case Root():
            return substituted_number(number.inner, symbols).sqrt()
        case BinaryScalar():
            left, right = (substituted_number(part, symbols) for part in (number.left, number.right))
            return number.applied(left, right)
        case _:
            raise TypeError(f"not a number: {number!r}")
