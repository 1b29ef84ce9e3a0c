"""Patches of torch's exporter and of onnxscript's optimizer do the same with less work."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

import onnx
import onnx_ir
import pytest
import torch
from onnxscript import rewriter
from onnxscript.optimizer import optimize_ir
from onnxscript.rewriter import RewriteRule
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch.fx import GraphModule
from torch.onnx._internal.exporter._fx_passes import insert_type_promotion_nodes
from torch.onnx._internal.fx.passes.type_promotion import _TypePromotionInterpreter

from archspec.engines import quick_export
from archspec.engines.quick_export import rules_by_operator, values_known

DISPATCH = fake_tensor.FakeTensorMode.dispatch

MODEL = """\
<ir_version: 10, opset_import: ["" : 18]>
rules (float[rows, 4, 6] x) => (float[rows, 6, 4] y, float[rows, 24] z)
<int64[3] first = {0, 4, 6}, int64[2] second = {0, 24}, float zero = {0}, float one = {1}, float six = {6}>
{
    plain = Identity(x)
    cast = Cast<to = 1>(plain)
    swapped = Transpose<perm = [0, 2, 1]>(cast)
    back = Transpose<perm = [0, 2, 1]>(swapped)
    y = Transpose<perm = [0, 2, 1]>(back)
    added = Add(x, zero)
    scaled = Mul(added, one)
    positive = Relu(scaled)
    clipped = Clip(positive, zero, six)
    shaped = Reshape(clipped, first)
    z = Reshape(shaped, second)
}
"""


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operators of the nodes that rules are tried on."""
    found, plain = list[str](), RewriteRule.try_rewrite

    def told(self: RewriteRule, model: Any, graph: Any, node: Any, **more: Any) -> Any:
        found.append(node.op_type)
        return plain(self, model, graph, node, **more)

    monkeypatch.setattr(RewriteRule, "try_rewrite", told)
    return found


def optimised(*, quick: bool) -> str:
    """The text of the model after onnxscript's optimizer."""
    model = onnx_ir.serde.deserialize_model(onnx.parser.parse_model(MODEL))
    with rules_by_operator() if quick else nullcontext():
        optimize_ir(model)
    return onnx.printer.to_text(onnx_ir.serde.serialize_model(model))


def test_files_are_the_same_and_fewer_rules_are_tried(tried: list[str]) -> None:
    quick = optimised(quick=True)
    few = len(tried)
    plain = optimised(quick=False)
    assert quick == plain
    assert plain.count(" = ") < MODEL.count(" = ") - 5
    assert 0 < few < (len(tried) - few) / 5


def test_rules_are_onnxscripts_again_afterwards() -> None:
    before = rewriter._DEFAULT_REWRITE_RULES
    with rules_by_operator():
        assert len(rewriter._DEFAULT_REWRITE_RULES) == len(before)
        assert rewriter._DEFAULT_REWRITE_RULES is not before
    assert rewriter._DEFAULT_REWRITE_RULES is before


class Promoting(nn.Module):
    """Whole numbers beside floats, and numbers that are no tensors: what torch promotes, in half precision too."""

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        shares = ids / 3
        return torch.where(ids > 1, x * 2 + shares.to(x.dtype), (x + ids).pow(2)).softmax(-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_casts_are_inserted_in_the_same_places(dtype: torch.dtype) -> None:
    rows = torch.export.Dim("rows", min=2, max=8)
    given = (torch.ones(3, 4, dtype=dtype), torch.ones(3, 4, dtype=torch.int64))
    traced = torch.export.export(Promoting(), given, dynamic_shapes=({0: rows}, {0: rows})).run_decompositions()
    plain, quick = copy.deepcopy(traced.graph_module), copy.deepcopy(traced.graph_module)
    with patch.object(fake_tensor.FakeTensorMode, "dispatch", autospec=True, side_effect=DISPATCH) as computed:
        insert_type_promotion_nodes(plain)
        before = computed.call_count
        with values_known():
            insert_type_promotion_nodes(quick)
    assert values(quick) == values(plain)
    assert len(values(quick)) > len(values(traced.graph_module)) + 2
    assert computed.call_count - before < before


def values(module: GraphModule) -> list[str]:
    """The nodes with their operators, operands, dtypes and shapes."""
    found = [(node.format_node(), node.meta.get("val")) for node in module.graph.nodes]
    return [f"{text} {getattr(one, 'dtype', None)} {tuple(getattr(one, 'shape', ()))}" for text, one in found]


@pytest.mark.parametrize(("installed", "active"), [({}, True), ({"torch": "2.14.0", "onnxscript": "0.8.0"}, False)])
def test_other_versions_are_left_as_they_are(
    installed: dict[str, str], active: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = quick_export.version
    monkeypatch.setattr(quick_export, "version", lambda name: installed.get(name) or plain(name))
    before = rewriter._DEFAULT_REWRITE_RULES, _TypePromotionInterpreter.run_node
    with quick_export.quickly():
        now = rewriter._DEFAULT_REWRITE_RULES, _TypePromotionInterpreter.run_node
    assert [one is not other for one, other in zip(now, before, strict=True)] == [active, active]
