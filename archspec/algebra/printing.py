"""Text of polynomials: Python arithmetic with `+ - * // %` that evaluates to the same value."""

from __future__ import annotations

from archspec.algebra.polynomial import Monomial, Naming, Terms, order

SUM, QUOTIENT, PRODUCT, PRIMARY = range(4)


def wrapped(text: str, binding: int, needed: int) -> str:
    """The text, in parentheses where its binding strength `binding` is below `needed`."""
    return text if binding >= needed else f"({text})"


def render(terms: Terms, name: Naming) -> tuple[str, int]:
    """Text of a polynomial, and the binding strength of its outermost operator.

    `name` gives the text of a symbol's name. Terms of higher degree come first.
    """
    if not terms:
        return "0", PRIMARY
    text, binding = "", SUM
    for monomial in sorted(terms, key=order):
        coefficient = terms[monomial]
        # The sign is written separately, so that a negative term becomes `a - b` and not `a + -b`.
        part, binding = _term(monomial, abs(coefficient), name)
        if text:
            text += f" {'-' if coefficient < 0 else '+'} {part}"
        else:
            text = part if coefficient > 0 else "-" + wrapped(part, binding, PRODUCT)
    return text, binding if len(terms) == 1 and min(terms.values()) > 0 else SUM


def _term(monomial: Monomial, coefficient: int, name: Naming) -> tuple[str, int]:
    factors: list[tuple[str, int]] = []
    for atom in monomial:
        text, binding, coefficient = atom.text(coefficient, name)
        factors.append((text, binding))
    if coefficient != 1 or not factors:
        factors.insert(0, (str(coefficient), PRIMARY))
    # A lone factor keeps its own binding: it may be a quotient, which a product around it must bracket.
    if len(factors) == 1:
        return factors[0]
    return "*".join(wrapped(text, binding, PRIMARY) for text, binding in factors), PRODUCT
