"""Attention over the first keys of each row, against loops; and layers that no output needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.engines.network.digest import digest
from archspec.engines.network.execution import Execution
from archspec.engines.network.needed import needed
from tests.engines.network.building import Made, normal, trt
from tests.engines.network.mutations import changed

Array = np.ndarray
LENGTHS = np.array([2, 5, 3], dtype=np.int32)


def by_loops(q: Array, k: Array, v: Array, kind: str) -> Array:
    """Query i of a row sees the keys that the row has, and of these no later one than its own."""
    found = np.zeros((*q.shape[:3], v.shape[3]))
    for row, length in enumerate(LENGTHS):
        for head in range(q.shape[1]):
            for i in range(q.shape[2]):
                last = {"NONE": length - 1, "UPPER_LEFT": min(i, length - 1)}.get(kind, length - q.shape[2] + i)
                keys, values = (one[row, head // 2, : last + 1] for one in (k, v))
                weights = np.exp(keys @ q[row, head, i])
                found[row, head, i] = weights @ values / weights.sum()
    return found


def cached(kind: str) -> tuple[Made, tuple[Array, Array, Array], object]:
    q, k, v = normal(3, 4, 2, 8), normal(3, 2, 5, 8, seed=1), normal(3, 2, 5, 8, seed=2)
    made = Made()
    tensors = [made.input(one, static=True) for one in (q, k, v)]
    layer = made.network.add_attention_v2(
        *tensors, trt.AttentionNormalizationOp.SOFTMAX, getattr(trt.CausalMaskKind, kind)
    )
    layer.key_value_lengths = made.input(LENGTHS, static=True)
    assert layer.key_value_lengths is not None
    return made, (q, k, v), layer.get_output(0)


@pytest.mark.parametrize("kind", ["NONE", "UPPER_LEFT", "LOWER_RIGHT"])
def test_attention_over_the_keys_that_a_row_has(kind: str) -> None:
    made, arrays, result = cached(kind)
    np.testing.assert_allclose(made.run(result)[0], by_loops(*arrays, kind), atol=1e-5)


def test_a_mask_beside_causality_is_refused() -> None:
    made = Made()
    q, k, v = normal(1, 2, 3, 8), normal(1, 2, 3, 8, seed=1), normal(1, 2, 3, 8, seed=2)
    tensors = [made.input(one, static=True) for one in (q, k, v)]
    layer = made.network.add_attention_v2(*tensors, trt.AttentionNormalizationOp.SOFTMAX, trt.CausalMaskKind.NONE)
    layer.mask = made.input(np.ones((1, 1, 3, 3), dtype=bool), static=True)
    plan = made.plan(layer.get_output(0))
    # TensorRT itself keeps one of the two when a network is made; a plan may come from elsewhere.
    steps = [changed(step, causal_kind="LOWER_RIGHT") if "ATTENTION" in step.kind else step for step in plan.steps]
    with pytest.raises(SpecError) as raised:
        Execution(replace(plan, steps=tuple(steps))).run(made.given)
    (found,) = raised.value.diagnostics
    assert found.code == "E620"
    assert "it has a mask beside causality, and TensorRT ignores one of the two" in found.message


def test_layers_that_no_output_needs_are_left_out() -> None:
    made = Made()
    x = made.input(normal(2, 3))
    made.network.add_unary(x, trt.UnaryOperation.EXP)
    kept = made.network.add_unary(x, trt.UnaryOperation.NEG)
    plan = made.plan(kept.get_output(0))
    assert [step.kind for step in plan.steps] == ["UNARY", "UNARY"]
    found = needed(plan)
    assert [step.attributes["op"] for step in found.steps] == ["NEG"]
    assert digest(needed(found)) == digest(found)
    np.testing.assert_array_equal(Execution(found).run(made.given)["y0"].numpy(), -normal(2, 3))
