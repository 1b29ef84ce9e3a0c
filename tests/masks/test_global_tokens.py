"""`query_valid` in a whole spec: rows that see all, beside rows that see a window."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from archspec import check, compile
from archspec.diagnostics import Source, SpecError
from archspec.spec import Spec
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read
from tests.editing import edited
from tests.lower.running import compare
from tests.options import option

SPEC = """
archspec: 1
name: global-tokens
constants: {d: 8}
dims: {batch: [1, 2, 4], length: [1, 9, 20]}
inputs:
  x: float[batch, length, d]
  valid: bool[batch, length]
  is_global: bool[batch, length]
graph:
  y: {block: attend, query: x, key: x, value: x, heads: 2, mask: MASK}
outputs:
  y: float[batch, length, d]
rules:
  - within: {output: y, input: x, mask: MASK | within(0)}
"""
GLOBAL = "key_valid(valid) & (last(3) | query_valid(is_global))"


def read_spec(text: str) -> Spec:
    return elaborate(read(Source("spec.yaml", text)), path=Path("spec.yaml"))


def spec_of(mask: str) -> Spec:
    return read_spec(edited(SPEC, ("MASK", mask)))


@option("mask.query_valid")
@pytest.mark.parametrize(
    "mask", [GLOBAL, "key_valid(valid) & last(2) | query_valid(is_global)", "query_valid(valid and is_global)"]
)
def test_the_module_is_what_the_interpreter_computes(mask: str) -> None:
    spec = spec_of(mask)
    for length in (1, 2, 7):
        compare(spec.graph, compile(spec).eval(), {"batch": 3, "length": length})


def test_global_rows_see_every_valid_key_and_others_three() -> None:
    torch.manual_seed(0)
    module = compile(spec_of(GLOBAL)).eval()
    x = torch.randn(2, 6, 8)
    valid = torch.ones(2, 6, dtype=torch.bool)
    valid[:, 4] = False
    is_global = torch.zeros(2, 6, dtype=torch.bool)
    is_global[0, 1] = True
    i, j = torch.arange(6)[:, None], torch.arange(6)
    window = ((j <= i) & (j > i - 3)).expand(2, 6, 6)
    allowed = (window | is_global[:, :, None]) & valid[:, None, :]
    heads = x.unflatten(-1, (2, 4)).transpose(1, 2)
    expected = F.scaled_dot_product_attention(heads, heads, heads, attn_mask=allowed[:, None])
    torch.testing.assert_close(module(x, valid=valid, is_global=is_global), expected.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("mask", [GLOBAL, "key_valid(valid) & causal | query_valid(is_global)"])
def test_the_rule_is_proved(mask: str) -> None:
    assert [verdict.status for verdict in check(spec_of(mask)).verdicts] == ["proved"] * 2


def test_a_rule_without_global_rows_is_violated() -> None:
    text = edited(SPEC, ("mask: MASK}\noutputs", f"mask: {GLOBAL}}}\noutputs"), ("MASK", "causal"))
    assert "violated" in [verdict.status for verdict in check(read_spec(text)).verdicts]


def test_the_queries_must_be_those_of_the_predicate() -> None:
    text = edited(SPEC, ("is_global: bool[batch, length]", "is_global: bool[batch, 5]"), ("MASK", GLOBAL))
    with pytest.raises(SpecError, match="is over `5`, but there are `length` queries"):
        read_spec(text)
