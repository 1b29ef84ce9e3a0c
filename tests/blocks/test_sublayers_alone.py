"""The blocks `attention` and `feed_forward` outside of stacks, against PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archspec
from archspec.checking import check
from tests.blocks.surroundings import Trial, complaints, shapes, trial
from tests.lower.running import compare, filled
from tests.options import option
from tests.spec.example import spec_of

LIKE_X = "float[batch, n, d]"


def tensors(made: Trial, *names: str) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(made[name]) for name in names}


@option("attention.query")
@pytest.mark.parametrize("memory", ["", pytest.param(", memory: memory", marks=option("attention.memory"))])
def test_attention_is_that_of_pytorch(memory: str) -> None:
    made = Trial(f"{{block: attention, query: x, heads: heads, mask: all{memory}}}", LIKE_X)
    x = torch.tensor(made.inputs["x"])
    keys = torch.tensor(made.inputs["memory"]) if memory else x
    wanted = nn.MultiheadAttention(64, 4, batch_first=True, kdim=keys.shape[-1], vdim=keys.shape[-1]).double()
    maps = {part: tensors(made, f"{part}.weight", f"{part}.bias") for part in ("q", "k", "v", "out")}
    weights = {part: one[f"{part}.weight"] for part, one in maps.items()}
    own = (
        {f"{part}_proj_weight": weights[part] for part in "qkv"}
        if memory
        else {"in_proj_weight": torch.cat([weights[part] for part in "qkv"])}
    )
    biases = torch.cat([maps[part][f"{part}.bias"] for part in "qkv"])
    own |= {"in_proj_bias": biases, "out_proj.weight": weights["out"], "out_proj.bias": maps["out"]["out.bias"]}
    wanted.load_state_dict(own, strict=True)
    np.testing.assert_allclose(made.result, wanted(x, keys, keys)[0].detach().numpy(), rtol=1e-9, atol=1e-12)


@option("feed_forward.input")
@pytest.mark.parametrize("gated", [False, True])
def test_feed_forward_is_its_formula(gated: bool) -> None:
    fields = "hidden: 96, activation: silu" + ", gated: true" * gated
    made = Trial(f"{{block: feed_forward, input: x, {fields}}}", LIKE_X)
    names = ("up", "gate", "down") if gated else ("up", "down")
    maps = {name: tuple(tensors(made, f"{name}.weight", f"{name}.bias").values()) for name in names}
    x = torch.tensor(made.inputs["x"])
    up = F.linear(x, *maps["up"])
    h = F.silu(F.linear(x, *maps["gate"])) * up if gated else F.silu(up)
    np.testing.assert_allclose(made.result, F.linear(h, *maps["down"]).numpy(), rtol=1e-9, atol=1e-12)


def test_experts_stand_outside_of_stacks_too() -> None:
    experts = "experts: {count: 4, top_k: 2, scores: softmax, normalise: true}"
    spec = trial(f"{{block: feed_forward, input: x, hidden: 96, activation: silu, {experts}}}", output=LIKE_X)
    assert shapes(spec)["router.weight"] == (4, 64)


def test_a_shared_table_of_positions_is_its_own() -> None:
    buckets = "{kind: relative_buckets, buckets: 8, max_distance: 16, bidirectional: true, share: true}"
    spec = trial(f"{{block: attention, query: x, heads: heads, mask: all, positions: {buckets}}}", output=LIKE_X)
    assert shapes(spec)["positions"] == (8, 4)


GRAPH = """
graph:
  turned: {block: attention, query: x, heads: 2, mask: causal, positions: {kind: rotary, layout: half}}
  y:
    - {block: attention, query: turned, memory: x, heads: 4, mask: causal, bias: false, repeat: 2}
    - {block: feed_forward, hidden: 5, activation: gelu}
outputs:
  y: float[batch, length, d]
  w: {from: turned.weights, type: "float[batch, 2, length, length]"}
rules:
  - causal: {output: y, input: x}
"""


def test_modules_and_proofs_of_sublayers_alone(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, GRAPH)
    compare(spec.graph, filled(archspec.compile(spec)).eval(), {"batch": 3, "length": 5})
    assert [verdict.status for verdict in check(spec.path).verdicts] == ["proved", "proved"]


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ("{block: attention, query: ids, heads: 4, mask: all}", "E342"),
        ("{block: attention, query: x, heads: 3, mask: all}", "E340"),
        ("{block: attention, query: x, heads: 4}", "E203"),
        ("{block: attention, query: x, heads: 4, mask: all, pre_norm: false}", "E202"),
        ("{block: attention, query: x, memory: memory, heads: 4, mask: causal}", "E403"),
        ("{block: feed_forward, input: ids, hidden: 4, activation: relu}", "E342"),
        ("{block: feed_forward, input: x, hidden: n, activation: relu}", "E341"),
    ],
)
def test_what_does_not_fit_is_refused(node: str, code: str) -> None:
    assert {found for found, _, _ in complaints(node)} == {code}
