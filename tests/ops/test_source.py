"""What ops emit is what a person would have written."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.op import Primitive
from archspec.ir.source import index, literal, named, operand
from archspec.ir.types import axis
from archspec.ops.attention.softcap import Softcap
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.dropout import Dropout
from archspec.ops.elementwise.logical import Logical
from archspec.ops.elementwise.unary import Unary
from archspec.ops.elementwise.where import Where
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.embedding import Embedding
from archspec.ops.linear.learned import Learned
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.l2_normalize import L2Normalize
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.position.learned_positions import LearnedPositions
from archspec.ops.position.sinusoidal import SinusoidalPositions
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.gather_position import GatherPosition
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.take import Take
from archspec.ops.shape.transpose import Transpose
from tests.ops.case import BATCH, SRC, TGT, Case, bools, floats, integers
from tests.ops.emit_module import FromShapes

X = floats(BATCH, SRC, 4)
IMAGE = floats(BATCH, 3, 8, 8)
SQUARE = {"stride": (4, 4), "padding": (0, 0), "dilation": (1, 1)}
PATCHES = Convolution(channels=Dim.of(6), kernel=(4, 4), **SQUARE)
NARROW = Convolution(
    channels=Dim.of(6), kernel=(4, 1), stride=(1, 1), padding=(2, 0), dilation=(1, 1), groups=3, bias=False
)

EXPECTED = [
    (Linear(out=axis(3)), (X,), "F.linear(x, self.weight, self.bias)"),
    (Embedding(rows=Dim.of(9), features=axis(4)), (integers(BATCH),), "F.embedding(x, self.table)"),
    (LayerNorm(), (X,), "F.layer_norm(x, (4,), weight=self.weight, bias=self.bias)"),
    (LayerNorm(weight=False, bias=False, eps=1e-6), (X,), "F.layer_norm(x, (4,), eps=1e-6)"),
    (RMSNorm(), (X,), "F.rms_norm(x, (4,), weight=self.weight, eps=1e-6)"),
    (RMSNorm(unit_offset=True), (X,), "F.rms_norm(x, (4,), weight=1 + self.weight, eps=1e-6)"),
    (Activation(kind="gelu"), (X,), "F.gelu(x)"),
    (Activation(kind="gelu_tanh"), (X,), 'F.gelu(x, approximate="tanh")'),
    (Activation(kind="quick_gelu"), (X,), "x * torch.sigmoid(1.702 * x)"),
    (Activation(kind="relu_squared"), (X,), "F.relu(x).square()"),
    (Activation(kind="relu6"), (X,), "F.relu6(x)"),
    (Unary(kind="negate"), (X,), "-x"),
    (Unary(kind="exp"), (X,), "torch.exp(x)"),
    (Binary(kind="add"), (X, X), "x + y"),
    (WithNumber(kind="multiply", number=Scalar.of(8)), (X,), "x * 8"),
    (WithNumber(kind="subtract", number=Scalar.of(Fraction(1, 2)), number_first=True), (X,), "0.5 - x"),
    (WithNumber(kind="divide", number=Scalar.of(SRC).sqrt()), (X,), "x / math.sqrt(x.shape[1])"),
    (Softcap(cap=Scalar.of(30)), (X,), "30 * torch.tanh(x / 30)"),
    (Dropout(rate=0.1), (X,), "F.dropout(x, 0.1, self.training)"),
    (Compare(kind="!=", number=Scalar.of(0)), (integers(BATCH),), "x != 0"),
    (Logical(kind="not"), (bools(BATCH),), "~x"),
    (Logical(kind="and"), (bools(BATCH), bools(BATCH)), "x & y"),
    (Where(), (bools(BATCH), floats(BATCH), floats(BATCH)), "torch.where(x, y, z)"),
    (Merge(axis=1), (IMAGE,), "x.flatten(1, 2)"),
    (Merge(axis=-2), (IMAGE,), "x.flatten(2)"),
    (Split(axis=-1, sizes=(axis(2), axis(2))), (X,), "x.unflatten(2, (-1, 2))"),
    (Split(axis=-1, sizes=(axis(1), axis(4))), (X,), "x.unflatten(2, (1, 4))"),
    (Split(axis=1, sizes=(axis(2), axis(2))), (floats(BATCH, 4, 2),), "x.unflatten(1, (2, 2))"),
    (Split(axis=0, sizes=(axis(2), axis(2))), (integers(4),), "x.unflatten(0, (2, 2))"),
    (Split(axis=1, sizes=(axis(SRC), axis(2))), (floats(BATCH, 2 * Dim.of(SRC)),), "x.unflatten(1, (-1, 2))"),
    (Transpose(order=(0, 2, 1)), (X,), "x.transpose(1, 2)"),
    (Transpose(order=(2, 0, 1)), (X,), "x.permute(2, 0, 1)"),
    (Transpose(order=(0, 1, 2)), (X,), "x"),
    (Take(axis=1, index=0), (X,), "x[:, 0]"),
    (Take(axis=-2, index=-1), (X,), "x[..., -1, :]"),
    (Slice(axis=1, start=Dim.of(1)), (floats(BATCH, TGT, 2),), "x[:, 1:]"),
    (Slice(axis=1, start=Dim.of(0), stop=Dim.of(TGT) - 1), (floats(BATCH, TGT),), "x[:, :x.shape[1] - 1]"),
    (Concat(axis=1), (X, X), "torch.cat((x, y), dim=1)"),
    (Learned(axes=(axis(BATCH), axis(1)), static=(False, True)), (X,), "self.value.expand(x.shape[0], -1)"),
    (Learned(axes=(axis(5),), static=(True,)), (X,), "self.value"),
    (LearnedPositions(rows=Dim.of(9)), (X,), "self.positions[:x.shape[1]]"),
    (LearnedPositions(rows=Dim.of(8)), (floats(BATCH, 8, 2),), "self.positions"),
    (LearnedPositions(rows=Dim.of(9), offset=2), (X,), "self.positions[2:x.shape[1] + 2]"),
    (SinusoidalPositions(), (X,), "sinusoidal_positions(x, 10000)"),
    (SinusoidalPositions(layout="halves"), (X,), "sinusoidal_positions(x, 10000, halves=True)"),
    (Reduce(kind="mean", axes=(1,)), (X,), "x.mean(1)"),
    (Reduce(kind="max", axes=(2, 3)), (IMAGE,), "x.amax((2, 3))"),
    (MaskedPool(kind="mean"), (X, bools(BATCH, SRC)), "masked_mean(x, y)"),
    (GatherPosition(), (X, integers(BATCH)), "x[torch.arange(x.shape[0], device=x.device), y]"),
    (L2Normalize(), (X,), "F.normalize(x, dim=-1)"),
    (PATCHES, (IMAGE,), "F.conv2d(x, self.weight, self.bias, stride=4)"),
    (NARROW, (IMAGE,), "F.conv2d(x, self.weight, padding=(2, 0), groups=self.weight.shape[0] // 2)"),
]


@pytest.mark.parametrize(("op", "inputs", "expected"), EXPECTED, ids=[source for _, _, source in EXPECTED])
def test_emitted_source(op: Primitive, inputs: tuple, expected: str) -> None:
    names = ["x", "y", "z"][: len(inputs)]
    e = FromShapes(Case(op=op, inputs=inputs), names)
    parameters = {name: f"self.{name}" for name in op.parameters(*inputs)}
    assert op.emit(e, names, parameters) == (expected,)
    assert e.lines == []


@pytest.mark.parametrize(
    ("op", "x", "expected"),
    [
        (Linear(out=axis(3), bias=False), X, "nn.Linear(4, 3, bias=False)"),
        (LayerNorm(), X, "nn.LayerNorm(4)"),
        (LayerNorm(eps=1e-12, bias=False), X, "nn.LayerNorm(4, eps=1e-12, bias=False)"),
        (LayerNorm(weight=False), X, None),
        (RMSNorm(), X, "nn.RMSNorm(4, eps=1e-6)"),
        (RMSNorm(unit_offset=True), X, None),
        (PATCHES, IMAGE, "nn.Conv2d(3, 6, 4, stride=4)"),
        (NARROW, IMAGE, "nn.Conv2d(3, 6, (4, 1), padding=(2, 0), groups=3, bias=False)"),
        (Activation(kind="relu"), X, None),
    ],
)
def test_layer_source(op: Primitive, x: object, expected: str | None) -> None:
    assert op.layer(x) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1e-5"),
        (1e-12, "1e-12"),
        (0.1, "0.1"),
        (10000.0, "10000"),
        (1 / 3, "0.3333333333333333"),
        (1e22, "1e+22"),
    ],
)
def test_numbers_are_written_shortly_and_exactly(value: float, text: str) -> None:
    assert literal(value) == text
    assert float(text) == value


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e6, 123456789.0, 5e-324, 2.5e-10, 12345.678, 999999.5])
def test_numbers_keep_their_value(value: float) -> None:
    assert float(literal(value)) == value


@pytest.mark.parametrize(("axis", "expected"), [(0, "[k]"), (2, "[:, :, k]"), (-1, "[..., k]"), (-3, "[..., k, :, :]")])
def test_an_index_stands_at_its_axis(axis: int, expected: str) -> None:
    assert index(axis, "k") == expected


def test_only_what_an_operator_would_tear_apart_gets_brackets() -> None:
    tight = ["x", "x.y", "f(a + b)", "x[a + b]", "1.5", "(a, b)"]
    assert [operand(source) for source in tight] == tight
    loose = ["a + b", "-a", "a if b else c", "a < b", "not a"]
    assert [operand(source) for source in loose] == [f"({source})" for source in loose]


def test_an_operand_used_twice_is_named_once() -> None:
    e = FromShapes(Case(op=Activation(kind="quick_gelu"), inputs=(X,)), ["x"])
    assert named(e, "x", "self.scale") == "self.scale"
    assert e.lines == []
    assert named(e, "y", "f(x)") == "y"
    assert e.lines == ["y = f(x)"]
