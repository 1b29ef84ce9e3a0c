"""What stays as it is while an input changes only where a predicate holds before and after.

Outside those positions the input is the same, and so is all that is computed of it position by position. Inside them
the predicate is true in both runs: what it implies is the same in both, and nothing else is known. Of `p or q` neither
is implied, for a position may go from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.logical import Logical
from archspec.rules.terms import Literal, Term

Clause = tuple[Literal, ...]
"""Literals that hold together."""


class Fixed:
    """The terms whose values a predicate fixes; it is given as clauses, of which one holds at each position."""

    def __init__(self, source: Term, clauses: Sequence[Clause]) -> None:
        self.source, self.clauses = source, tuple(clauses)
        self._known: dict[Term, bool] = {}

    def __call__(self, term: Term) -> bool:
        """Whether a term surely has the same values in both runs."""
        if term not in self._known:
            self._known[term] = self._is_fixed(term)
        return self._known[term]

    def together(self, literals: Iterable[Literal]) -> bool:
        """Whether it is surely the same in both runs where all of some literals hold."""
        found = tuple(literals)
        if not all(self._pointwise(literal.term) for literal in found):
            return False
        return self._one_truth([_all(_literal(one, clause) for one in found) for clause in self.clauses])

    def _is_fixed(self, term: Term) -> bool:
        if not term.depends_on(self.source):
            return True
        same = all(operand.type.axes == term.type.axes for operand in term.operands)
        if isinstance(term.op, Logical) and same and all(self(operand) for operand in term.operands):
            return True
        return self._pointwise(term) and self._one_truth([_truth(term, clause) for clause in self.clauses])

    def _pointwise(self, term: Term) -> bool:
        """Whether a term is computed of the source position by position."""
        if term is self.source or not term.depends_on(self.source):
            return True
        if not isinstance(term.op, Compare | Logical) or term.type.axes != self.source.type.axes:
            return False
        return all(self._pointwise(operand) for operand in term.operands)

    @staticmethod
    def _one_truth(truths: Sequence[bool | None]) -> bool:
        return None not in truths and len(set(truths)) == 1


def _truth(term: Term, clause: Clause) -> bool | None:
    """What a clause implies of a bool term at the same position; None where both are possible."""
    for literal in clause:
        if literal.term is term:
            return not literal.negated
    if isinstance(term.op, Compare):
        return _comparison(term, clause)
    if not isinstance(term.op, Logical) or any(x.type.axes != term.type.axes for x in term.operands):
        return None
    found = [_truth(operand, clause) for operand in term.operands]
    if term.op.kind == "not":
        return None if found[0] is None else not found[0]
    return _all(found) if term.op.kind == "and" else _any(found)


def _literal(literal: Literal, clause: Clause) -> bool | None:
    found = _truth(literal.term, clause)
    return None if found is None else found is not literal.negated


def _all(truths: Iterable[bool | None]) -> bool | None:
    found = list(truths)
    return False if False in found else None if None in found else True


def _any(truths: Iterable[bool | None]) -> bool | None:
    found = list(truths)
    return True if True in found else None if None in found else False


def _comparison(term: Term, clause: Clause) -> bool | None:
    """What the comparisons of a clause imply of another one of the same operand with a whole number."""
    wanted = _region(Literal(term, False))
    same = (literal for literal in clause if literal.term.operands == term.operands)
    known = [region for literal in same if (region := _region(literal)) is not None]
    if wanted is None or not known:
        return None
    low, high = max(region[0] for region in known), min(region[1] for region in known)
    if wanted[0] <= low and high <= wanted[1]:
        return True
    return False if high < wanted[0] or wanted[1] < low else None


def _region(literal: Literal) -> tuple[float, float] | None:
    """The whole numbers at which a comparison holds, as an interval; None for one that is none."""
    op = literal.term.op
    size = op.number.as_dim() if isinstance(op, Compare) else None
    number = None if size is None else size.constant
    if not isinstance(op, Compare) or number is None or not literal.term.operands[0].type.dtype.is_integer:
        return None
    if op.kind == "==":
        return None if literal.negated else (number, number)
    if op.kind == "<":
        return (number, float("inf")) if literal.negated else (float("-inf"), number - 1)
    return None
