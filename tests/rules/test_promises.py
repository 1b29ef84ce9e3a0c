"""What padding promises add to an atom, against all predicates that keep them."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from archspec.ir.types import DType, TensorType
from archspec.relation.atoms import Atom, Guard, Relation
from archspec.relation.evaluate import matrix
from archspec.rules.promises import Facts
from archspec.rules.terms import Term
from tests.relation.random_atoms import BATCH, N, atom, concrete, sizes, values

VALID = Term("valid", TensorType.of(DType.BOOL, BATCH, N))
OUT = INP = VALID.type.space


def with_terms(r: random.Random) -> Atom:
    """A random atom whose guards read one predicate."""
    found = atom(r, OUT, INP)
    guards = {
        Guard(side=side, predicate=VALID, coordinates=(0, 1), offset=r.choice((0, 0, 1, -1)), negated=r.random() < 0.5)
        for side in r.choice((("out", "in"), ("out",), ("in",)))
    }
    return replace(found, guards=frozenset(guards))


def padded(r: random.Random, at: dict[str, int], padding: str) -> np.ndarray:
    rows = []
    for _ in range(at["b"]):
        row = np.arange(at["n"]) < r.randint(1, at["n"])
        rows.append(row if padding == "right" else row[::-1])
    return np.asarray(rows)


@pytest.mark.parametrize("padding", ["right", "left"])
def test_what_follows_from_a_promise_is_so(padding: str) -> None:
    r, impossible, followed = random.Random(7), 0, 0
    for _ in range(900):
        found, at = with_terms(r), sizes(r)
        wanted = Guard(side=r.choice(("out", "in")), predicate=VALID, coordinates=(0, 1), negated=r.random() < 0.3)
        facts = Facts(found, OUT, INP, {VALID: padding})
        plain = Facts(found, OUT, INP, {})
        impossible += facts.impossible and not plain.impossible
        follows = facts.holds(wanted)
        followed += follows and not plain.holds(wanted)
        for _ in range(4):
            controls = {**values(r), VALID: padded(r, at, padding)}
            spaces = concrete(OUT, at), concrete(INP, at)
            held = matrix(Relation((found,)), *spaces, controls, at)
            if facts.impossible:
                assert not held.any()
            elif follows:
                both = matrix(Relation((replace(found, guards=found.guards | {wanted}),)), *spaces, controls, at)
                assert np.array_equal(held, both)
    assert impossible > 5
    assert followed > 5
