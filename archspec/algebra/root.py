"""Exact square roots of sizes."""

from __future__ import annotations

import math

from archspec.algebra.dim import Dim
from archspec.algebra.polynomial import Monomial, leading, order, over


def square_root(dim: Dim) -> Dim | None:
    """The polynomial whose square this is and which is negative at no admitted size; None where there is none.

    None also where the sign of the root is not decided by the declared ranges. The root is found term by term, in
    decreasing order, from the leading terms of what is left.
    """
    if not dim.terms:
        return dim
    head = _root_of_term(leading(dim.terms), dim.terms[leading(dim.terms)])
    if head is None:
        return None
    root, rest = head, dim - head * head
    monomial = last = leading(head.terms)
    twice = 2 * head.terms[monomial]
    while rest.terms:
        lead = leading(rest.terms)
        # For the next term t of the root, `2 * head * t` is the leading term of the rest. Terms must decrease, or the
        # polynomial is no square and the loop would not end.
        cofactor = over(lead, monomial)
        if cofactor is None or rest.terms[lead] % twice or order(cofactor) <= order(last):
            return None
        last, term = cofactor, Dim({cofactor: rest.terms[lead] // twice})
        rest, root = rest - term * (2 * root + term), root + term
    # The square root of a square is the absolute value, so the sign must be known.
    return root if root.minimum() >= 0 else -root if root.maximum() <= 0 else None


def _root_of_term(monomial: Monomial, coefficient: int) -> Dim | None:
    """The root of one term: even powers and a coefficient that is a square, else None."""
    if coefficient < 0 or any(monomial.count(atom) % 2 for atom in monomial):
        return None
    root = math.isqrt(coefficient)
    return Dim({monomial[::2]: root}) if root * root == coefficient else None
