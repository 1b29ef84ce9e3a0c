"""Parameters are made once, with sizes that are fixed."""

from __future__ import annotations

import pytest

from archspec.algebra.dim import Dim
from archspec.algebra.symbol import Symbol
from archspec.diagnostics import SpecError
from archspec.ir.builder import Builder
from archspec.ir.types import DType, TensorType, axis
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.affine import Affine
from archspec.ops.norm.layer_norm import LayerNorm

LENGTH = Dim.of(Symbol("length", 1, 4, 8))


@pytest.mark.parametrize(
    ("op", "name"),
    [
        (Linear(out=axis(3), bias=True), "y.weight"),
        (LayerNorm(eps=1e-5, weight=True, bias=True), "y.weight"),
        (Affine(scale=True, shift=False), "y.scale"),
    ],
)
def test_a_parameter_has_no_size_of_the_run_time(op: object, name: str) -> None:
    builder = Builder("test")
    x = builder.input("x", TensorType.of(DType.FLOAT, 2, 3, LENGTH))
    with pytest.raises(SpecError) as raised:
        builder.add(op, x, name="y")
    (found,) = raised.value.diagnostics
    assert found.code == "E341"
    assert found.message.startswith(f"`{name}` would be float[")
    assert "length" in found.message
