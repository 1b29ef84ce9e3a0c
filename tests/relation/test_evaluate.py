from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archspec.relation.atoms import EVERYTHING, NOTHING, Relation, identity
from archspec.relation.evaluate import matrix
from tests.relation.worlds import INP, OUT, Controls, controls, relations, table


@given(relations(), controls(), st.integers(1, 3))
def test_the_matrix_is_the_definition(relation: Relation, values: Controls, n: int) -> None:
    assert np.array_equal(matrix(relation, OUT, INP, values, {"n": n}), table(relation, values, n))


def test_the_plain_relations() -> None:
    assert matrix(EVERYTHING, (2,), (3,), {}, {}).all()
    assert not matrix(NOTHING, (2,), (3,), {}, {}).any()
    assert matrix(EVERYTHING, (), (), {}, {}).shape == ()
    assert np.array_equal(matrix(identity(1), (3,), (3,), {}, {}), np.eye(3, dtype=bool))
