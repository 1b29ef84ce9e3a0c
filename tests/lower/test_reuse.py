"""Reused modules, with every kind of captured value and mask: the module is the graph, or the reuse is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from archspec import compile
from archspec.diagnostics import Source, SpecError
from archspec.spec import Spec
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read
from tests.lower.running import compare, filled

SPEC = """
archspec: 1
name: reuse
dims: {batch: [1, 2, 3], length: [4, 6, 12]}
inputs:
  x: float[batch, length, 8]
  z: float[batch, length, 8]
  valid: bool[batch, length]
  other: bool[batch, length]
defaults: {norm: layer_norm}
graph:
  e: x * 2
  rest: {block: attend, query: z, key: z, value: z, mask: key_valid(valid and other)}
  a:
    block: transformer
    input: x
    layers: 2
    residual: pre
    final_norm: false
    attention: {heads: 2, mask: MASK, positions: {kind: added, key: KEY}}
    cross_attention: CROSS
    feed_forward: none
    repeat: REPEAT
  y: {reuse: a, input: AGAINOVER}
outputs:
  rest: float[batch, length, 8]
  a: float[batch, length, 8]
  y: float[batch, length, 8]
"""
CROSS = "{memory: e, heads: 2, mask: key_valid(other)}"
MASKS = ("causal", "last(3)", "key_valid(valid)", "key_valid(valid) & last(2) | query_valid(other)")
OVERS = ("", ", attention: {mask: key_valid(other)}", ", cross_attention: {memory: x, mask: key_valid(valid)}")
DEFAULTS = {"MASK": "last(3)", "KEY": "z", "CROSS": "none", "REPEAT": "2", "AGAIN": "e", "OVER": ""}
SIZES = {"batch": 2, "length": 5}


def read_spec(text: str, words: Mapping[str, str]) -> Spec:
    for word, value in words.items():
        text = text.replace(word, value)
    return elaborate(read(Source("spec.yaml", text)), path=Path("spec.yaml"))


def spec_of(**words: str) -> Spec:
    return read_spec(SPEC, DEFAULTS | words)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("repeat", ["1", "2"])
@pytest.mark.parametrize(("key", "again"), [("z", "e"), ("e", "e"), ("e", "z"), ("x", "x")])
def test_a_reused_stack_is_what_the_interpreter_computes(mask: str, repeat: str, key: str, again: str) -> None:
    spec = spec_of(MASK=mask, REPEAT=repeat, KEY=key, AGAIN=again)
    compare(spec.graph, compile(spec).eval(), SIZES)


@pytest.mark.parametrize(
    ("mask", "repeat", "over"), [(MASKS[k % 4], "12"[k % 2], OVERS[k % 3]) for k in range(0, 24, 2)]
)
def test_a_reuse_under_other_masks_runs_or_is_refused(mask: str, repeat: str, over: str) -> None:
    spec = spec_of(MASK=mask, REPEAT=repeat, CROSS=CROSS, OVER=over)
    try:
        module = compile(spec)
    except SpecError as error:
        assert [found.code for found in error.diagnostics if found.severity == "error"] == ["E502"]
        assert over
    else:
        compare(spec.graph, module.eval(), SIZES)


def test_what_a_repeated_block_captures_stays_what_it_is() -> None:
    """`key: e` is the value e in every repeat, also where the first repeat takes e as its input."""
    text = SPEC.replace("input: x\n", "input: e\n").replace("  e: x * 2\n", "  e: x * 2\n  same: x * 2\n")
    text = text.replace("  a: float", "  same: float[batch, length, 8]\n  a: float")
    torch.manual_seed(0)
    x, ones = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    outputs = [
        filled(compile(read_spec(text, DEFAULTS | {"KEY": key}))).eval()(x, z=x, valid=ones, other=ones).a
        for key in ("e", "same")
    ]
    torch.testing.assert_close(*outputs)
