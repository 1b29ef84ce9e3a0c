"""Graphs that no module can express are refused, with the node at which that was found."""

from __future__ import annotations

import pytest

from archspec.diagnostics import SpecError
from archspec.ir.graph import Graph
from archspec.ir.types import axis
from archspec.lower.errors import LoweringError, ReusedDifferently, TakenName
from archspec.masks.atoms.all import All
from archspec.ops.linear.linear import Linear
from tests.lower.graphs import attention, start
from tests.lower.running import source_of


def reused_differently() -> Graph:
    """Attention to itself, and then, with the same parameters, to another sequence."""
    b, x = start()
    y = attention(b, "a", x, All())
    with b.reuse():
        z = attention(b, "a", x, All(), memory=y)
    return b.finish({"z": z})


def test_a_module_that_would_need_two_pieces_of_code() -> None:
    with pytest.raises(ReusedDifferently, match="`a` reuses a module") as raised:
        source_of(reused_differently())
    assert raised.value.node is not None


def test_a_name_that_modules_use() -> None:
    b, x = start()
    with pytest.raises(TakenName, match="`eval` is an attribute of every PyTorch module"):
        source_of(b.finish({"y": b.add(Linear(out=axis(8)), x, name="eval")}))


@pytest.mark.parametrize("error", [TakenName("eval"), ReusedDifferently("a")])
def test_both_become_diagnostics(error: LoweringError) -> None:
    with pytest.raises(SpecError) as raised:
        error.refuse()
    (found,) = raised.value.diagnostics
    assert found.code == error.code
    assert found.message == str(error)
    assert found.help
