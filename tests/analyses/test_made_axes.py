"""The axes that the last product with weights makes: one of its rows changes one entry along them, and many others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.analyses.made_axes import made_axes
from archspec.layouts.parameters import parameter_shapes
from archspec.oracle.interpreter import interpret

SPEC = """archspec: 1
name: made
dims: {{batch: [1, 2, 4]}}
inputs: {{x: "float[{shape}]"}}
graph:
{graph}
outputs: {{y: "float[{made}]"}}
"""
MAP, SEQUENCE = "batch, 3, 8, 12", "batch, 6, 8"

CASES = {
    "linear": (SEQUENCE, "batch, 6, 5", "y: {block: linear, input: x, dim: 5}", {2}),
    "convolution": (MAP, "batch, 5, 8, 12", "y: {block: conv, input: x, channels: 5, kernel: 1}", {1}),
    "transposed convolution": (
        MAP,
        "batch, 5, 16, 24",
        "y: {block: conv_transpose, input: x, channels: 5, kernel: 2, stride: 2}",
        {1},
    ),
    "a map that is resized and scaled": (
        MAP,
        "batch, 5, 16, 24",
        """a: {block: conv, input: x, channels: 5, kernel: 1}
  b: {block: resize, input: a, size: [16, 24], mode: bilinear}
  c: "b * 0.5"
  y: {block: activation, input: c, kind: tanh}""",
        {1},
    ),
    "a linear map turned": (
        SEQUENCE,
        "batch, 5, 6",
        """a: {block: linear, input: x, dim: 5}
  y: {block: rearrange, input: a, pattern: b s c -> b c s}""",
        {1},
    ),
    "positions that were mixed before": (
        SEQUENCE,
        "batch, 6, 5",
        """t: {block: rearrange, input: x, pattern: b s c -> b c s}
  m: {block: linear, input: t, dim: 6}
  u: {block: rearrange, input: m, pattern: b c s -> b s c}
  y: {block: linear, input: u, dim: 5}""",
        {2},
    ),
    "the channels that a kernel keeps apart": (
        MAP,
        "batch, 5, 8, 12",
        """a: {block: conv, input: x, channels: 5, kernel: 1}
  y: {block: conv, input: a, channels: 5, kernel: 3, groups: 5, padding: same}""",
        {1},
    ),
    "classes of several boxes in one axis": (
        MAP,
        "batch, 2, 5, 8, 12",
        """a: {block: conv, input: x, channels: 10, kernel: 1}
  y: {block: rearrange, input: a, pattern: b (n c) h w -> b n c h w, sizes: {n: 2}}""",
        set(),
    ),
    "a product of values": (
        SEQUENCE,
        "batch, 6, 6",
        """a: {block: rearrange, input: x, pattern: b s c -> b c s}
  y: {block: matmul, left: x, right: a}""",
        set(),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_axis_is_that_of_the_last_product_with_weights(tmp_path: Path, case: str) -> None:
    shape, made, graph, wanted = CASES[case]
    (tmp_path / "s.yaml").write_text(SPEC.format(shape=shape, made=made, graph=f"  {graph}"))
    spec = archspec.load(tmp_path / "s.yaml")
    assert made_axes(spec.graph, spec.outputs["y"]) == wanted
    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=tuple(size.typical() for size in spec.inputs["x"].type.shape))}
    weights = {name: rng.normal(size=shape) for name, shape in parameter_shapes(spec.graph).items()}
    product = "a" if "a.weight" in weights else "y"
    before = interpret(spec.graph, inputs, weights)["y"]
    for axis in wanted:
        changed = {name: array.copy() for name, array in weights.items()}
        rows = changed[f"{product}.weight"]
        (rows.swapaxes(0, 1) if "conv_transpose" in graph else rows)[2] += 1.0
        differs = np.argwhere(interpret(spec.graph, inputs, changed)["y"] != before)
        assert set(differs[:, axis]) == {2}
        assert all(len(set(differs[:, other])) > 1 for other in range(differs.shape[1]) if other != axis)
