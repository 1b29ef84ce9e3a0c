"""What stays the same while an input changes only at positions where a predicate holds before and after.

Outside those positions the input is the same, and so is everything computed from it position by position. Inside them
the predicate is true in both runs: what it implies is the same in both, and nothing else is known. Of `p or q` neither
part is implied, because a position may change from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.logical import Logical
from archspec.rules.terms import Literal, Term

Clause = tuple[Literal, ...]
"""Literals that are all true."""


class Fixed:
    """The terms whose values a predicate fixes. The predicate is given as clauses, one of which holds at each position.

    `source` is the term of the input that changes.
    """

    def __init__(self, source: Term, clauses: Sequence[Clause]) -> None:
        self.source, self.clauses = source, tuple(clauses)
        self._known: dict[Term, bool] = {}

    def __call__(self, term: Term) -> bool:
        """Whether a term is proved to have the same values in both runs."""
        if term not in self._known:
            self._known[term] = self._is_fixed(term)
        return self._known[term]

    def together(self, literals: Iterable[Literal]) -> bool:
        """Whether the conjunction of some literals is proved to have the same truth in both runs."""
        found = tuple(literals)
        # The clauses are about one position: a term that mixes positions is not decided by them.
        if not all(self._pointwise(literal.term) for literal in found):
            return False
        return self._one_truth([_all(_literal(one, clause) for one in found) for clause in self.clauses])

    def _is_fixed(self, term: Term) -> bool:
        """Whether a term does not depend on the source, or is computed from fixed terms, or is decided by every clause
        alike.
        """
        if not term.depends_on(self.source):
            return True
        same = all(operand.type.axes == term.type.axes for operand in term.operands)
        # Operands over other axes are broadcast: the clauses are about the source's positions only.
        if isinstance(term.op, Logical) and same and all(self(operand) for operand in term.operands):
            return True
        return self._pointwise(term) and self._one_truth([_truth(term, clause) for clause in self.clauses])

    def _pointwise(self, term: Term) -> bool:
        """Whether the term at a position depends on the source at that position only."""
        if term is self.source or not term.depends_on(self.source):
            return True
        if not isinstance(term.op, Compare | Logical) or term.type.axes != self.source.type.axes:
            return False
        return all(self._pointwise(operand) for operand in term.operands)

    @staticmethod
    def _one_truth(truths: Sequence[bool | None]) -> bool:
        """Whether all clauses imply the same truth value."""
        # One clause holds before and another may hold after, so they must all agree.
        return None not in truths and len(set(truths)) == 1


def _truth(term: Term, clause: Clause) -> bool | None:
    """The truth of a bool term at a position where the clause holds; None where the clause leaves it open."""
    for literal in clause:
        if literal.term is term:
            return not literal.negated
    if isinstance(term.op, Compare):
        return _comparison(term, clause)
    # Operands over other axes are broadcast, and the clause is about the source's positions.
    if not isinstance(term.op, Logical) or any(x.type.axes != term.type.axes for x in term.operands):
        return None
    found = [_truth(operand, clause) for operand in term.operands]
    if term.op.kind == "not":
        return None if found[0] is None else not found[0]
    return _all(found) if term.op.kind == "and" else _any(found)


def _literal(literal: Literal, clause: Clause) -> bool | None:
    """The truth of a literal at a position where the clause holds; None where it is open."""
    found = _truth(literal.term, clause)
    return None if found is None else found is not literal.negated


def _all(truths: Iterable[bool | None]) -> bool | None:
    """Conjunction in three-valued logic (Kleene): None is "open"."""
    found = list(truths)
    return False if False in found else None if None in found else True


def _any(truths: Iterable[bool | None]) -> bool | None:
    """Disjunction in three-valued logic (Kleene): None is "open"."""
    found = list(truths)
    return True if True in found else None if None in found else False


def _comparison(term: Term, clause: Clause) -> bool | None:
    """The truth of a comparison, as the clause's comparisons of the same operand with integers imply it."""
    wanted = _region(Literal(term, False))
    same = (literal for literal in clause if literal.term.operands == term.operands)
    known = [region for literal in same if (region := _region(literal)) is not None]
    if wanted is None or not known:
        return None
    # The comparisons of a clause hold together: the operand is in the intersection of their regions.
    low, high = max(region[0] for region in known), min(region[1] for region in known)
    if wanted[0] <= low and high <= wanted[1]:
        return True
    return False if high < wanted[0] or wanted[1] < low else None


def _region(literal: Literal) -> tuple[float, float] | None:
    """The integers at which a comparison holds, as an interval; None where they are not one interval."""
    op = literal.term.op
    size = op.number.as_dim() if isinstance(op, Compare) else None
    number = None if size is None else size.constant
    if not isinstance(op, Compare) or number is None or not literal.term.operands[0].type.dtype.is_integer:
        return None
    # Terms compare with a size by `==` or `<` alone (see `Terms.comparison`).
    if op.kind == "==":
        return None if literal.negated else (number, number)
    if op.kind == "<":
        return (number, float("inf")) if literal.negated else (float("-inf"), number - 1)
    return None
