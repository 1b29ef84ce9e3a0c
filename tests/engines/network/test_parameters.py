"""Other parameters in a network: which constants are parameters, and what shows that the bundle's own weights hide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.bundle.parity import float_arrays
from archspec.contract.redrawn import DEVIATIONS, matrices, parity_redrawn
from archspec.engines.network.execution import Execution
from archspec.engines.network.parameters import with_parameters
from tests.engines.network.building import Made, normal, trt
from tests.engines.network.judging import lowered
from tests.engines.network.mutations import mutants

NONE = trt.MatrixOperation.NONE


def network(*weights: np.ndarray) -> tuple[Made, Any]:
    """x times each matrix in turn."""
    made = Made()
    value = made.input(normal(2, weights[0].shape[0]))
    for matrix in weights:
        value = made.network.add_matrix_multiply(value, NONE, made.constant(matrix), NONE).get_output(0)
    return made, made.plan(value)


def test_parameters_are_found_as_they_are_and_turned() -> None:
    first, second, other = normal(3, 4), normal(5, 4), normal(3, 4) + 1
    made, plan = network(first, second.T)
    changed, found = with_parameters(
        plan, {"first": first, "second": second, "absent": other}, {"first": other, "second": -second, "absent": first}
    )
    assert found == {"first", "second"}
    result = Execution(changed, "exact").run(made.given)["y0"].numpy()
    np.testing.assert_allclose(result, made.given["x0"].double().numpy() @ other @ -second.T, rtol=1e-6)
    before = Execution(plan, "exact").run(made.given)["y0"].numpy()
    np.testing.assert_allclose(before, made.given["x0"].double().numpy() @ first @ second.T, rtol=1e-6)


def test_values_that_two_parameters_have_are_left_alone() -> None:
    one, ones, bias = normal(4, 4), np.ones((4, 3), dtype=np.float32), np.zeros(3, dtype=np.float32)
    _, plan = network(one, ones, bias.reshape(3, 1))
    known = {"one": one, "left": ones, "right": ones.T.copy(), "head": bias.reshape(1, 3), "bias": bias}
    drawn = {name: known[name] + 1 for name in ("one", "left", "right", "head")}
    _, found = with_parameters(plan, known, drawn)
    assert found == {"one"}


def test_a_matrix_that_does_not_tell_which_way_it_stands_is_left_alone() -> None:
    symmetric, row = normal(4, 4), normal(1, 4)
    symmetric += symmetric.T
    made, plan = network(symmetric, row.T)
    other = {"symmetric": normal(4, 4) + 1, "row": normal(1, 4) + 2}
    changed, found = with_parameters(plan, {"symmetric": symmetric, "row": row}, other)
    assert found == {"row"}
    result = Execution(changed, "exact").run(made.given)["y0"].numpy()
    np.testing.assert_allclose(result, made.given["x0"].double().numpy() @ symmetric @ other["row"].T, rtol=1e-6)


def test_zeros_of_another_dtype_are_no_parameter() -> None:
    made = Made()
    count = made.constant(np.zeros((2, 2), dtype=np.int64))
    twice = made.network.add_elementwise(count, count, trt.ElementWiseOperation.SUM).get_output(0)
    plan = made.plan(twice)
    zeros = np.zeros((4, 2), dtype=np.float32)
    changed, found = with_parameters(plan, {"zeros": zeros}, {"zeros": zeros + 1})
    assert (changed.steps, found) == (plan.steps, frozenset())


@pytest.mark.slow
def test_a_wide_network_holds_at_large_parameters(tmp_path: Path) -> None:
    """Sums of many numbers are drawn no larger than those of few, or rounding alone would show."""
    case = lowered("llama-3-8b", tmp_path, set=("d_model=384", "heads=8", "kv_heads=2", "d_ff=1024", "layers=4"))
    found = list(parity_redrawn([case.plan], case.claims, float_arrays(case.program.weights), 0))
    assert [one.status for one in found] == ["holds"] * len(DEVIATIONS)


@pytest.mark.slow
def test_what_fresh_weights_hide_shows(tmp_path: Path) -> None:
    """Gemma's caps do nothing to the scores of fresh weights, and an eps does nothing to their variance."""
    case = lowered("gemma-2-2b", tmp_path)
    weights = float_arrays(case.program.weights)
    assert case.claims.spec is not None
    names = matrices(case.claims.spec.graph, weights)
    assert names == tuple(name for name, array in weights.items() if array.ndim > 1)

    def violated(plan: Any) -> set[str]:
        found = list(parity_redrawn([plan], case.claims, weights, 0))
        assert len(found) == len(DEVIATIONS)
        return {one.claim.split()[-2] for one in found if one.status == "violated"}

    assert violated(case.plan) == set()
    caps = [one.plan for one in mutants(case.plan) if (one.operator, one.site) == ("lose an activation", "node_tanh")]
    assert [violated(plan) for plan in caps] == [{"large"}]
    eps = [one.plan for one in mutants(case.plan) if (one.operator, one.site) == ("lose a term", "node_add_361")]
    assert len(eps) == 1 and all(violated(plan) & {"small", "tiny"} for plan in eps)
