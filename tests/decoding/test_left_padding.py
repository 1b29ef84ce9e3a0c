"""Decoders whose rows may be padded on the left, and fields that only give sizes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import torch

import archspec
from archspec.analyses.size_use import counts_positions
from archspec.decoding.plan import plan
from archspec.ir.call import Call
from archspec.ir.repeat import Repeat
from archspec.ops.registry import all_primitives
from archspec.spec import load
from tests.decoding import specs

OPS = {**all_primitives(), "call": Call, "repeat": Repeat}


def test_every_sized_field_is_one_of_its_op() -> None:
    for op in OPS.values():
        assert op.sized <= {one.name for one in fields(op)}  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["gpt2", "llama-3-8b", "prefix-lm-base"])
def test_decoders_that_do_not_count_their_positions(name: str) -> None:
    graph = load(name, reduced=True).graph
    sizes = {symbol for value in graph.inputs for dim in value.type.shape for symbol in dim.symbols()}
    (length,) = (symbol for symbol in sizes if symbol.name == "length")
    assert not counts_positions(graph, length)


VALID = 'valid: {type: "bool[batch, length]", default: true, padding: left}'
CONV = """
  turned: {block: rearrange, input: source, pattern: b n c -> b c n}
  mixed: {block: conv, input: turned, channels: d_model, kernel: 3, padding: causal}
  back: {block: rearrange, input: mixed, pattern: b c n -> b n c}
"""
AHEAD = """
  before: {block: shift, input: source, axis: 1, by: 1, fill: 0}
  back: {block: attention, query: source, memory: before, heads: 2, mask: causal & key_valid(valid)}
"""
ZEROS = """
  kept: {block: select, input: source, where: valid}
  back: {block: attention, query: source, memory: kept, heads: 2, mask: MASK}
"""
BUCKETS = ", positions: {kind: relative_buckets, buckets: 8, max_distance: 16, bidirectional: false, share: true}"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"source": "", "attention": specs.ROTARY}, True),
        ({"source": "", "attention": specs.ALIBI}, True),
        ({"source": "", "attention": BUCKETS}, True),
        ({"source": "", "mask": "causal & key_valid(valid) & last(3)"}, True),
        ({"source": specs.COUNTED}, True),
        ({"source": specs.LEARNED}, False),
        ({"source": ", positions: sinusoidal"}, False),
        ({"source": "", "nodes": "\n  back: {block: slice, input: source, axis: 2, start: 0, stop: d_model}"}, True),
        ({"source": "", "nodes": "\n  back: {block: roll, input: source, axis: 2, by: 3}"}, True),
        # In front of the first position stands padding, or what the op fills in.
        ({"source": "", "nodes": "\n  back: {block: shift, input: source, axis: 1, by: 1, fill: 0}"}, False),
        ({"source": "", "nodes": CONV}, False),
        ({"source": "", "nodes": AHEAD}, False),
    ],
    ids=str,
)
def test_rows_padded_on_the_left_against_rows_alone(options: dict[str, str], expected: bool, tmp_path: Path) -> None:
    """Where rows are said to be what they are alone, the module gives them so."""
    spec = specs.decoder(tmp_path, **{"more": VALID, "mask": "causal & key_valid(valid)", **options})
    assert plan(spec).side == ("left" if expected else "none")
    torch.manual_seed(0)
    module = archspec.compile(spec).double().eval()
    ids = torch.randint(41, (2, 5))
    padded = torch.cat([torch.randint(41, (2, 3)), ids], 1)
    kept = torch.arange(8).expand(2, 8) >= 3
    with torch.no_grad():
        apart = (module(padded, valid=kept)[:, 3:] - module(ids)).abs().max()
    assert (apart < 1e-9) == expected


@pytest.mark.parametrize(("mask", "side"), [("causal & key_valid(valid)", "left"), ("causal", "none")])
def test_zeros_in_place_of_padding_are_keys_that_are_attended_to(mask: str, side: str, tmp_path: Path) -> None:
    nodes = ZEROS.replace("MASK", mask)
    spec = specs.decoder(tmp_path, more=VALID, mask="causal & key_valid(valid)", source="", nodes=nodes)
    assert plan(spec).side == side
    torch.manual_seed(0)
    module = archspec.compile(spec).double().eval()
    ids = torch.randint(41, (2, 5))
    padded = torch.cat([torch.randint(41, (2, 3)), ids], 1)
    with torch.no_grad():
        apart = (module(padded, valid=torch.arange(8).expand(2, 8) >= 3)[:, 3:] - module(ids)).abs().max()
    assert (apart < 1e-9) == (side == "left")
