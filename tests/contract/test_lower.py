"""Lower rules hold at the largest sizes too, and where data picks the positions that are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archspec.contract.compiled import verify_compiled
from archspec.contract.gradients import by_position
from archspec.contract.protocol import Asked, Subject
from archspec.contract.verify import verify
from archspec.model.runner import FunctionRunner
from archspec.spec.claims import read_claims
from archspec.testing import assert_contract
from tests.contract.decoders import RULES, Decoder

COVERS = RULES.replace("[1, 6, 16]", "[1, 6, 40]")
PICKING = """
archspec: 1
name: picking
dims: {batch: [1, 2, 4], length: [1, 6, 24]}
inputs:
  ids: int64[batch, length] < 50
  INPUT
graph:
  x: {block: token_embedding, ids: ids, vocab: 50, dim: 8, positions: none}
  y: {block: pool, input: x, kind: at, index: INDEX}
outputs: {y: "float[batch, 8]"}
rules:
  - sees: {output: y, input: ids}
"""
GIVEN = PICKING.replace("INPUT", 'index: "int64[batch]"').replace("INDEX", "index")


class Blind(Decoder):
    """A decoder in which one query does not see one key, from a length on."""

    def __init__(self, query: int, key: int, length: int) -> None:
        super().__init__()
        self.pair, self.length = (query, key), length

    def mask(self, valid: Tensor) -> Tensor:
        """What each position sees: bool [batch, length, length]."""
        mask = super().mask(valid).clone()
        if mask.shape[1] >= self.length:
            mask[:, self.pair[0], self.pair[1]] = False
        return mask


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: lambda ids, valid: model(ids, valid)])
def test_one_pair_that_is_not_seen_at_the_largest_length(wrap: Callable[[nn.Module], object]) -> None:
    claims = read_claims(COVERS)
    assert_contract(wrap(Blind(30, 11, length=99).eval()), claims)
    with pytest.raises(AssertionError, match=r"logits position 30 does not depend on ids position 11, at .*length=40"):
        assert_contract(wrap(Blind(30, 11, length=40).eval()), claims)


def test_what_is_left_out_is_said() -> None:
    claims = read_claims(COVERS.replace("[1, 6, 40]", "[1, 6, 500]").replace("batch: [1, 2, 4]", "batch: [1, 1, 1]"))
    report = assert_contract(Decoder(), claims)
    (covers,) = [one for one in report.findings if one.claim.startswith("covers")]
    assert "tried at batch=" in covers.detail


def test_an_index_is_tried_at_every_position() -> None:
    report = verify_compiled(read_claims(GIVEN))
    assert [one.status for one in report.findings if one.claim.startswith("sees")] == ["holds"], str(report)


def test_an_index_that_never_reaches_the_last_position_is_found() -> None:
    table = np.random.default_rng(0).standard_normal((50, 8))

    def run(arrays: Mapping[str, np.ndarray], stop: int) -> dict[str, np.ndarray]:
        ids = arrays["ids"]
        index = np.minimum(arrays["index"], ids.shape[1] - 1 - stop).clip(0)
        return {"y": table[ids[np.arange(len(ids)), index]]}

    claims = read_claims(GIVEN)
    for stop, status in ((0, "holds"), (1, "violated")):
        runner = FunctionRunner(function=lambda arrays, stop=stop: run(arrays, stop))
        found = verify(Subject(name="picking", runner=runner), claims).findings
        assert [one.status for one in found if one.claim.startswith("sees")] == [status], found


LAST = """
archspec: 1
name: last
dims: {batch: [1, 2, 4], length: [1, 6, 12]}
inputs:
  ids: int64[batch, length] < 50
  valid: {type: "bool[batch, length]", PADDING}
graph:
  x: {block: token_embedding, ids: ids, vocab: 50, dim: 8, positions: none}
  y: NODE
outputs: {y: "float[batch, 8]"}
rules:
  - sees: {output: y, input: ids}
"""
POOL = "{block: pool, input: x, kind: last, valid: %s}"


@pytest.mark.parametrize(
    ("node", "padding"),
    [
        (POOL % "valid", "padding: any"),
        (POOL % "valid", "padding: right, default: true"),
        (POOL % "ids != 3 or valid", "padding: any"),
        (POOL % "ids < 7 and valid", "padding: right"),
        ("[{block: select, input: x, where: not valid}, {block: pool, kind: mean}]", "padding: any"),
    ],
)
def test_bools_that_decide_what_is_read_are_varied(node: str, padding: str) -> None:
    report = verify_compiled(read_claims(LAST.replace("NODE", node).replace("PADDING", padding)))
    assert [one.status for one in report.findings if one.claim.startswith("sees")] == ["holds"], str(report)


@pytest.mark.parametrize("has_graph", [True, False])
def test_a_last_position_that_is_never_the_first_one_is_found(has_graph: bool) -> None:
    table = np.random.default_rng(0).standard_normal((50, 8))

    def run(arrays: Mapping[str, np.ndarray], least: int) -> dict[str, np.ndarray]:
        ids, valid = arrays["ids"], arrays["valid"]
        last = np.maximum(valid.sum(1) - 1, min(least, ids.shape[1] - 1))
        return {"y": table[ids[np.arange(len(ids)), last]]}

    text = LAST.replace("NODE", POOL % "valid").replace("PADDING", "padding: right")
    text = text if has_graph else text[: text.index("graph")] + text[text.index("outputs") :]
    claims = read_claims(text)
    for least, status in ((0, "holds"), (1, "violated")):
        runner = FunctionRunner(function=lambda arrays, least=least: run(arrays, least))
        found = verify(Subject(name="last", runner=runner), claims).findings
        assert [one.status for one in found if one.claim.startswith("sees")] == [status], found


def test_gradients_spread_over_rows_equal_those_of_all_rows() -> None:
    mix = torch.rand(6, 6).tril().double()
    x = torch.rand(4, 6, 3, dtype=torch.float64, requires_grad=True)
    y = torch.einsum("ij,bjd->bid", mix, x)
    wanted = np.tri(6, dtype=bool)
    assert np.array_equal(by_position(y, [x], (1,), (1,), 0), wanted)
    for is_spread in (False, True):
        found = by_position(y, [x], (1,), (1,), 0, Asked(numbers=(5, 0, 3, 2, 1), is_spread=is_spread))
        assert np.array_equal(found, wanted[[5, 0, 3, 2, 1]])
