"""What is known of ops names ops that there are, and is right of them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from archspec.decoding.shifts import _MOVE_ALONG, counts_positions, moves_along
from archspec.ir.call import Call
from archspec.ir.repeat import Repeat
from archspec.ops.registry import all_primitives
from archspec.spec import load

OPS = {**all_primitives(), "call": Call, "repeat": Repeat}


def test_every_name_is_that_of_an_op() -> None:
    assert set(OPS) >= _MOVE_ALONG
    for op in OPS.values():
        assert op.sized <= {one.name for one in fields(op)}  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "moves"), [("gpt2", False), ("llama-3-8b", True), ("prefix-lm-base", False)])
def test_decoders_by_their_positions(name: str, moves: bool) -> None:
    graph = load(name, reduced=True).graph
    assert moves_along(graph, graph.inputs[0]) == moves
    sizes = {symbol for value in graph.inputs for dim in value.type.shape for symbol in dim.symbols()}
    (length,) = (symbol for symbol in sizes if symbol.name == "length")
    assert not counts_positions(graph, length)
