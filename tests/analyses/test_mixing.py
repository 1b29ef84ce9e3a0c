"""How nodes mix positions: the kinds of known architectures, and their shares of the FLOPs by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.algebra.dim import Dim
from archspec.analyses.mixing import mixing
from archspec.checking.fields import position_axes
from archspec.spec import load

HEAD = """archspec: 1
name: mixed
dims: {batch: [1, 2, 4], n: [4, 8, 16]}
inputs:
  x: float[batch, n, 8]
  ids: int64[batch, n] < 5
graph:
"""
SEQUENCE, SIGNAL, ROW = "float[batch, n, 8]", "float[batch, 8, n]", "float[batch, 8]"
TURNED = "a: {block: rearrange, input: x, pattern: b n d -> b d n}\n  "
SCORES = "s: {block: matmul, left: x, right: x, transpose_right: true}\n  "
KINDS = {
    "a linear map of features": ("y: {block: linear, input: x, dim: 8}", SEQUENCE, set()),
    "a kernel of one": (TURNED + "y: {block: conv, input: a, channels: 8, kernel: 1}", SIGNAL, set()),
    "a convolution": (TURNED + "y: {block: conv, input: a, channels: 8, kernel: 3, padding: 1}", SIGNAL, {"static"}),
    "attention": ("y: {block: attend, query: x, key: x, value: x, heads: 2, mask: all}", SEQUENCE, {"dynamic"}),
    "attention to itself": ("y: {block: attend, query: x, key: x, value: x, heads: 2, mask: last(1)}", SEQUENCE, set()),
    "a mean": ("y: {block: pool, input: x, kind: mean}", ROW, {"static"}),
    "a mean of some": ("y: {block: pool, input: x, kind: mean, valid: ids != 0}", ROW, {"dynamic"}),
    "a maximum": ("y: {block: pool, input: x, kind: max}", ROW, {"maximum"}),
    "the first": ("y: {block: pool, input: x, kind: first}", ROW, set()),
    "a move": ("y: {block: shift, input: x, axis: 1, by: 2, fill: 0}", SEQUENCE, set()),
    "a cyclic move": ("y: {block: roll, input: x, axis: 1, by: 2}", SEQUENCE, set()),
    "a sum around a circle": (
        TURNED + "y: {block: conv, input: a, channels: 8, kernel: 2, padding: circular}",
        SIGNAL,
        {"static"},
    ),
    "a product of two values": (SCORES + "y: {block: matmul, left: s, right: x}", SEQUENCE, {"dynamic"}),
    "a norm of features": ("y: {block: norm, input: x, kind: layer_norm}", SEQUENCE, set()),
    "a convolution after a norm of positions": (
        TURNED
        + "b: {block: norm, input: a, kind: group_norm, groups: 2, axis: 1}\n  "
        + "y: {block: conv, input: b, channels: 8, kernel: 3, padding: 1}",
        SIGNAL,
        {"dynamic", "static"},
    ),
    "a gate": ("y: x * x", SEQUENCE, set()),
}


@pytest.mark.parametrize(("graph", "type_", "expected"), KINDS.values(), ids=KINDS)
def test_kinds_are_those_of_the_coefficients(graph: str, type_: str, expected: set[str], tmp_path: Path) -> None:
    path = tmp_path / "mixed.yaml"
    used = "used: {block: select, input: x, where: ids != 0, otherwise: 0}"
    path.write_text(f"{HEAD}  {graph}\n  {used}\noutputs:\n  used: {SEQUENCE}\n  y: {type_}\n")
    spec = load(path)
    assert {kind for one in mixing(spec.graph, position_axes(spec)).values() for kind in one.flops} == expected


def test_shares_of_a_transformer_are_those_of_attention_by_hand() -> None:
    """Scores and sums of values: 2 * 2 * batch * n^2 * d a layer; projections and feed-forward see one position."""
    spec = load("gpt2")
    found = {node.path: one for node, one in mixing(spec.graph, position_axes(spec)).items()}
    batch, length = (Dim.of(spec.dims[name]) for name in ("batch", "length"))
    assert found["states"].flops == {"dynamic": 12 * 4 * batch * length * length * 768}
    assert found["logits"].flops == {}


def test_a_residual_network_is_static_but_for_its_maximum() -> None:
    spec = load("resnet-50")
    found = {node.path: one for node, one in mixing(spec.graph, position_axes(spec)).items()}
    assert set(found["stem.0"].flops) == {"static"}
    assert set(found["stem.1"].flops) == {"maximum"}
    assert all(set(found[f"stage{number}"].flops) == {"static"} for number in range(1, 5))
    # Three layers of stage 1 have one convolution of 3x3 each, over 64 channels, at 56 x 56 pixels.
    batch = Dim.of(spec.dims["batch"])
    assert found["stage1"].flops["static"] == 3 * 2 * batch * 56 * 56 * 64 * 64 * 9


def test_patches_are_mixed_statically_and_their_tokens_dynamically() -> None:
    spec = load("vit-b16")
    found = {node.path: set(one.flops) for node, one in mixing(spec.graph, position_axes(spec)).items()}
    assert found["tokens"] == {"static"}
    assert found["states"] == {"dynamic"}


def test_windows_that_are_shifted_mix_by_attention_alone() -> None:
    """A roll before and after it moves positions, and sums none of them."""
    spec = load("swin-t", reduced=True)
    found = {node.path: set(one.flops) for node, one in mixing(spec.graph, position_axes(spec)).items()}
    assert found["stage1"] == found["stage2"] == {"dynamic"}


def test_patches_that_are_merged_are_mixed_by_the_map_behind_their_norm() -> None:
    spec = load("swin-t")
    found = {node.path: one for node, one in mixing(spec.graph, position_axes(spec)).items()}
    batch = Dim.of(spec.dims["batch"])
    # The norm of four positions side by side has no FLOPs, and coefficients that depend on them.
    assert found["merge2"].flops == {"static": 2 * batch * 28 * 28 * 4 * 96 * 192, "dynamic": Dim.of(0)}
