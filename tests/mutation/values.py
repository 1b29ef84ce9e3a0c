"""Mistakes that leave it as it was who reads whom, or nearly so, and change what is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.graph import Node, Value
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.score_bias import ScoreBias
from archspec.ops.attention.softcap import Softcap
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.convolution.window_pool import WindowPool
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.unary import Unary
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.batch_norm import BatchNorm
from archspec.ops.norm.group_norm import GroupNorm
from archspec.ops.norm.l2_normalize import L2Normalize
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.position.rotary import Rotary
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.routing.routing import Routing
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.transpose import Transpose
from tests.mutation.edit import Change, Edit
from tests.mutation.operators import Setting
from tests.mutation.places import after

_NORMS = LayerNorm | RMSNorm | GroupNorm | BatchNorm | L2Normalize


def operand(number: int) -> Change:
    """An operand stands for the result."""
    return lambda edit: [edit.inputs[number]]


def lose_residual(node: Node, setting: Setting) -> Iterator[Change]:
    """Of a sum of two values of one type the first is lost, which in a residual is what was there before."""
    if is_sum(node):
        yield operand(1)


def lose_branch(node: Node, setting: Setting) -> Iterator[Change]:
    """Of a sum of two values of one type the second is lost, which in a residual is what a sublayer adds."""
    if is_sum(node):
        yield operand(0)


def is_sum(node: Node) -> bool:
    if not isinstance(node.op, Binary) or node.op.kind != "add":
        return False
    left, right = (value.type for value in node.inputs)
    return left.matches(right) and left.dtype == "float"


def lose_factor(node: Node, setting: Setting) -> Iterator[Change]:
    """A product or a quotient with a number, or with a value of other axes, is lost."""
    if isinstance(node.op, WithNumber) or (isinstance(node.op, Binary) and node.op.kind in ("multiply", "divide")):
        for number, value in enumerate(node.inputs):
            if value.type.matches(node.outputs[0].type) and value.type.dtype == "float":
                yield operand(number)


def lose_addend(node: Node, setting: Setting) -> Iterator[Change]:
    """What is added to every row, such as positions, is lost."""
    if isinstance(node.op, Binary) and node.op.kind == "add" and not is_sum(node):
        for number, value in enumerate(node.inputs):
            if value.type.matches(node.outputs[0].type):
                yield operand(number)


def lose_norm(node: Node, setting: Setting) -> Iterator[Change]:
    if isinstance(node.op, _NORMS):
        yield operand(0)


def lose_activation(node: Node, setting: Setting) -> Iterator[Change]:
    if isinstance(node.op, Activation | Unary | Softcap):
        yield operand(0)


def another_activation(node: Node, setting: Setting) -> Iterator[Change]:
    if isinstance(node.op, Activation):
        kind = "silu" if node.op.kind != "silu" else "gelu"
        yield lambda edit: edit.same(Activation(kind=kind))


def lose_bias(node: Node, setting: Setting) -> Iterator[Change]:
    if isinstance(node.op, Linear | Convolution) and node.op.bias:
        op = replace(node.op, bias=False)
        yield lambda edit: edit.same(op, without=frozenset({"bias"}))


def other_scale(node: Node, setting: Setting) -> Iterator[Change]:
    """Scores of attention are twice what they should be, or lose their cap."""
    op = node.op
    if isinstance(op, Attention):
        scale = Scalar.of(1) / Scalar.of(node.inputs[0].type.shape[3]).sqrt() if op.scale is None else op.scale
        yield lambda edit: edit.same(replace(op, scale=scale * 2))
        if op.softcap is not None:
            yield lambda edit: edit.same(replace(op, softcap=None))


def swap_queries(node: Node, setting: Setting) -> Iterator[Change]:
    """Queries and keys in each other's place."""
    if isinstance(node.op, Attention) and node.inputs[0].type.matches(node.inputs[1].type):
        yield lambda edit: edit.same(inputs=[edit.inputs[1], edit.inputs[0], *edit.inputs[2:]])


def swap_values(node: Node, setting: Setting) -> Iterator[Change]:
    """Keys and values in each other's place."""
    if isinstance(node.op, Attention) and node.inputs[1].type.matches(node.inputs[2].type):
        yield lambda edit: edit.same(inputs=[edit.inputs[0], edit.inputs[2], edit.inputs[1], *edit.inputs[3:]])


def permute_heads(node: Node, setting: Setting) -> Iterator[Change]:
    """Every head in the place of the next."""
    heads = node.outputs[0].type.shape[1].constant if isinstance(node.op, Attention) else None
    if heads is not None and heads > 1:
        yield after(lambda edit, x: _rolled(edit, x, heads))


def _rolled(edit: Edit, x: Value, size: int) -> Value:
    one, whole = Dim.of(1), Dim.of(size)
    rest = edit.add(Slice(axis=1, start=one, stop=whole), x)
    first = edit.add(Slice(axis=1, start=Dim.of(0), stop=one), x)
    return edit.add(Concat(axis=1), rest, first)


def swap_merged(node: Node, setting: Setting) -> Iterator[Change]:
    """Two axes that become one are merged in the wrong order: heads and their features, rows and columns of patches."""
    op = node.op
    if not isinstance(op, Merge) or op.count != 2:
        return
    order = list(range(node.inputs[0].type.rank))
    first = op.axis % len(order)
    order[first : first + 2] = [first + 1, first]
    yield lambda edit: edit.same(inputs=[edit.add(Transpose(order=tuple(order)), edit.inputs[0])])


def turn_map(node: Node, setting: Setting) -> Iterator[Change]:
    """Rows and columns of a square map in each other's place."""
    type_ = node.outputs[0].type
    if isinstance(node.op, Convolution | WindowPool) and type_.rank == 4 and type_.shape[2] == type_.shape[3]:
        yield after(lambda edit, x: edit.add(Transpose(order=(0, 1, 3, 2)), x))


def swap_operands(node: Node, setting: Setting) -> Iterator[Change]:
    """What is joined, subtracted or divided, in the wrong order."""
    op = node.op
    ordered = isinstance(op, Concat) or (isinstance(op, Binary) and op.kind in ("subtract", "divide"))
    if ordered and len(node.inputs) == 2:
        yield lambda edit: edit.same(inputs=edit.inputs[::-1])


def other_pool(node: Node, setting: Setting) -> Iterator[Change]:
    """The largest instead of the mean, or the mean instead of the largest."""
    op = node.op
    if isinstance(op, MaskedPool | Reduce | WindowPool) and op.kind in ("mean", "max"):
        yield lambda edit: edit.same(replace(op, kind="max" if op.kind == "mean" else "mean"))


def other_experts(node: Node, setting: Setting) -> Iterator[Change]:
    """One expert less, or weights that are not normalised as they should be."""
    op = node.op
    if isinstance(op, Routing):
        yield lambda edit: edit.same(replace(op, normalise=not op.normalise))
        if op.top_k > 1:
            yield lambda edit: edit.same(replace(op, top_k=op.top_k - 1))


def reverse_bias(node: Node, setting: Setting) -> Iterator[Change]:
    """Distances with the wrong sign."""
    type_ = node.outputs[0].type
    if isinstance(node.op, ScoreBias) and type_.shape[2] == type_.shape[3]:
        yield after(lambda edit, x: edit.add(Transpose(order=(0, 1, 3, 2)), x))


def other_rotary(node: Node, setting: Setting) -> Iterator[Change]:
    """Pairs of features laid out the other way, or no turn at all."""
    op = node.op
    if isinstance(op, Rotary):
        yield lambda edit: edit.same(replace(op, layout="interleaved" if op.layout == "half" else "half"))
        yield operand(0)
