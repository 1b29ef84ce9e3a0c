"""Faults to be planted: each is one line of the prover, or of what it is held against, done wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from unittest.mock import patch

from archspec.masks import relation as masks_relation
from archspec.masks.atoms.all import All
from archspec.ops.attention import mask_operands
from archspec.ops.attention.attention import Attention
from archspec.ops.position.counted_positions import CountedPositions
from archspec.ops.shape.shift import Shift
from archspec.relation import union
from archspec.relation.atoms import NOTHING, Difference, Relation, Space
from archspec.relation.union import in_normal_form
from archspec.rules import fixed, flow, kind, reads, terms
from archspec.rules.origin import Origin
from tests.rules.breakage import broken, guard_not_shifted

Fault = Callable[[], AbstractContextManager[None]]


def shift_off_by_one() -> AbstractContextManager[None]:
    """A shift reads the position before the one that it moves."""
    real = Shift.reads
    return broken((Shift, "reads", lambda self, ins, outs: real(replace(self, by=self.by + 1), ins, outs)))


def count_unread() -> AbstractContextManager[None]:
    """Positions that are counted read nothing of what counts them."""
    return broken((CountedPositions, "reads", lambda self, ins, outs: ((NOTHING,),)))


def guard_offset_lost() -> AbstractContextManager[None]:
    """A predicate that is shifted is taken for the one at the same position."""
    return guard_not_shifted()  # type: ignore[return-value]


def erasure_lost() -> AbstractContextManager[None]:
    """Masks restrict by a control though the control is what changes."""
    return broken(
        (reads.Reads, "_mentions", lambda self, term, changing: False),
        (masks_relation, "erase", lambda relation, operand: relation),
    )


def mask_lost() -> AbstractContextManager[None]:
    """The module attends to everything."""
    real = Attention.emit
    return broken((Attention, "emit", lambda self, *more: real(replace(self, mask=All()), *more)))


def wanted_joined() -> AbstractContextManager[None]:
    """What a rule wants is joined over a cap of one atom, and grows."""
    return broken((kind, "within", _within(1)))


# -- the five old unsound kinds


def inner_source_carried() -> AbstractContextManager[None]:
    """An inner value of a repeated region is taken for one that nothing reads any more."""
    return broken((flow, "origin", lambda value: Origin(value)))


def literals_fixed() -> AbstractContextManager[None]:
    """`ignores` holds each literal of its predicate fixed, not the predicate."""

    real = fixed.Fixed._is_fixed

    def is_fixed(self: fixed.Fixed, term: terms.Term) -> bool:
        return any(literal.term is term for clause in self.clauses for literal in clause) or real(self, term)

    def together(self: fixed.Fixed, literals: Iterable[terms.Literal]) -> bool:
        return all(self(literal.term) for literal in literals)

    return broken((fixed.Fixed, "_is_fixed", is_fixed), (fixed.Fixed, "together", together))


def wanted_normalised() -> AbstractContextManager[None]:
    """Of two ends of what a rule wants that no size orders one is dropped."""
    real = kind.within

    def within(found: Relation, allowed: Relation, *more: object) -> bool:
        # Constants are dropped first, so that an end by a size stays alone.
        kept = [replace(atom, differences=_one_a_line(atom.differences)) for atom in allowed.atoms]
        return real(found, Relation(tuple(kept)), *more)  # type: ignore[arg-type]

    return broken((kind, "within", within))


def _one_a_line(differences: Iterable[Difference]) -> frozenset[Difference]:
    """Of several differences of one pair of coordinates the one whose upper end reads last."""
    ordered = sorted(differences, key=lambda one: str(one.hi))
    return frozenset({(one.out, one.inp, one.a, one.b): one for one in ordered}.values())


def wanted_over_the_cap() -> AbstractContextManager[None]:
    """What a rule wants is joined over the cap of what is found."""
    return broken((kind, "within", _within(union.MOST_ATOMS)))


def split_controls_unread() -> AbstractContextManager[None]:
    """Controls of a mask whose axes have other factors are read as nothing."""
    real = mask_operands.MaskOperands._use

    def use(self: mask_operands.MaskOperands, use: object, out: object, query: int) -> Relation:
        same = self.types[use.control].axes[-1].factors == out.axes[query].factors  # type: ignore[attr-defined]
        return real(self, use, out, query) if same else NOTHING  # type: ignore[arg-type]

    return broken((mask_operands.MaskOperands, "_use", use))


def _within(most: int) -> Callable[..., bool]:
    real = kind.within

    def within(found: Relation, allowed: Relation, out: Space, inp: Space, *more: object) -> bool:
        with patch.object(union, "MOST_ATOMS", most):
            wanted = in_normal_form(allowed, out, inp)
        return real(found, wanted, out, inp, *more)  # type: ignore[arg-type]

    return within


QUICK: tuple[Fault, ...] = (shift_off_by_one, count_unread, guard_offset_lost, erasure_lost, mask_lost, wanted_joined)
OLD: tuple[Fault, ...] = (
    inner_source_carried,
    literals_fixed,
    wanted_normalised,
    wanted_over_the_cap,
    split_controls_unread,
)
