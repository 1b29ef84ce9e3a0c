"""Which experts are chosen where scores tie or saturate, and what they weigh where all scores round to zero."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from archspec.ir.types import DType, TensorType
from archspec.ops.routing.routing import Groups, Routing
from tests.ops.emit_one import run

LOGITS = [
    [1.0, 3.0, 3.0, 0.0, 3.0, 3.0],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [40.0, 50.0, 60.0, 45.0, 30.0, 20.0],
    [-300.0, -200.0, -250.0, -200.0, -210.0, -200.0],
]
BEST = [[1, 2], [0, 1], [1, 2], [1, 3]]


def emitted(op: Routing, logits: torch.Tensor, **parameters: torch.Tensor) -> torch.Tensor:
    type_ = TensorType.of(DType.FLOAT, *logits.shape)
    (found,) = run(op, [type_], [logits], parameters)
    return found


def reference(op: Routing, logits: torch.Tensor, **parameters: torch.Tensor) -> np.ndarray[Any, Any]:
    given = {name: x.double().numpy() for name, x in parameters.items()}
    (found,) = op.reference([logits.double().numpy()], given, {})
    return found


def chosen(weights: Any) -> list[list[int]]:
    return [[int(e) for e in np.flatnonzero(row)] for row in np.asarray(weights)]


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_ties_take_the_lower_index_and_saturated_scores_rank_by_their_logits(scores: Any, dtype: torch.dtype) -> None:
    op = Routing(top_k=2, scores=scores, normalise=True)
    logits = torch.tensor(LOGITS, dtype=dtype)
    found = emitted(op, logits)
    ranked = np.argsort(-np.array(LOGITS), axis=-1, kind="stable")[:, :2]
    assert [sorted(row.tolist()) for row in ranked] == BEST
    for weights in (found, reference(op, logits)):
        # A softmax puts what is 10 lower at 5e-5: chosen all the same.
        assert chosen(weights) == BEST
    np.testing.assert_allclose(found.double().numpy(), reference(op, logits), rtol=1e-5)
    np.testing.assert_allclose(found.sum(-1), 1.0, rtol=1e-6)


def test_a_sigmoid_normalises_where_every_score_rounds_to_zero() -> None:
    op = Routing(top_k=2, scores="sigmoid", normalise=True)
    logits = torch.tensor([[-300.0, -301.0, -400.0]])
    assert torch.sigmoid(logits).sum() == 0
    share = 1 / (1 + math.exp(-1))
    np.testing.assert_allclose(emitted(op, logits)[0], [share, 1 - share, 0], rtol=1e-6)
    np.testing.assert_allclose(reference(op, logits)[0], [share, 1 - share, 0], rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_selection_bias_is_added_in_float32(dtype: torch.dtype) -> None:
    op = Routing(top_k=1, scores="sigmoid", normalise=False, selection_bias=True)
    logits = torch.zeros(1, 3, dtype=dtype)
    # 0.5 + 2e-4 is 0.5 in half precision.
    bias = torch.tensor([0.0, 1e-4, 2e-4]).to(dtype)
    assert dtype is torch.float32 or (torch.tensor(0.5, dtype=dtype) + bias[2] == 0.5)
    found = emitted(op, logits, bias=bias)
    assert found.dtype == dtype
    assert found.tolist() == [[0, 0, 0.5]]
    assert chosen(reference(op, logits, bias=bias)) == [[2]]


def test_only_the_best_groups_are_chosen_from() -> None:
    op = Routing(top_k=2, scores="sigmoid", normalise=False, groups=Groups(count=3, top=1))
    # The best expert stands in a group whose second is poor; of equal groups the first is taken.
    logits = torch.tensor([[3.0, -9.0, 1.0, 1.0, 1.0, 1.0]])
    assert chosen(emitted(op, logits)) == chosen(reference(op, logits)) == [[2, 3]]


class Router(torch.nn.Module):
    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return emitted(Routing(top_k=2, scores="sigmoid", normalise=True), logits)


def test_networks_choose_as_the_module_does(tmp_path: Path) -> None:
    logits = torch.tensor(LOGITS)
    program = torch.onnx.export(Router().eval(), (logits,), dynamo=True, opset_version=18, verbose=False)
    assert program is not None
    program.save(tmp_path / "router.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "router.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: logits.numpy()})
    np.testing.assert_allclose(found, Router()(logits), rtol=1e-6, atol=1e-9)
    assert chosen(found) == BEST
