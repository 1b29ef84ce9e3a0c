"""Mistakes that mix what leads the inputs, or move positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.graph import Node, Value
from archspec.ir.types import axis
from archspec.masks.atoms.all import All
from archspec.ops.attention.attention import Attention
from archspec.ops.elementwise.binary import Binary
from archspec.ops.norm.group_norm import GroupNorm
from archspec.ops.norm.l2_normalize import L2Normalize
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.position.learned_positions import LearnedPositions
from archspec.ops.position.rotary_grid_table import RotaryGridTable
from archspec.ops.position.rotary_table import RotaryTable
from archspec.ops.position.sinusoidal import SinusoidalPositions
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.shift import Shift
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.take import Take
from archspec.ops.shape.transpose import Transpose
from tests.mutation.edit import Change, Edit
from tests.mutation.operators import Changes, Setting


def after(make: Callable[[Edit, Value], Value]) -> Change:
    """The node as it is, with more done to its first output."""

    def change(edit: Edit) -> Sequence[Value]:
        first, *rest = edit.same()
        return [make(edit, first), *rest]

    return change


def is_leaf(node: Node) -> bool:
    """Whether a node is no module and no stack of layers: these give what a node inside them gives."""
    return not node.regions


def shift(place: int, by: int) -> Callable[[Edit, Value], Value]:
    return lambda edit, x: edit.add(Shift(axis=place, by=Dim.of(by), fill=Scalar.of(0)), x)


def _with_mean(edit: Edit, x: Value, place: int) -> Value:
    """A value plus its mean over an axis."""
    mean = edit.add(Reduce(kind="mean", axes=(place,)), x)
    if place:
        mean = edit.add(Split(axis=place - 1, sizes=(x.type.axes[place - 1], axis(1))), mean)
    return edit.add(Binary(kind="add"), x, mean)


def mix_batch(node: Node, setting: Setting) -> Iterator[Change]:
    """The mean over the batch is added."""
    if is_leaf(node) and setting.is_led(node):
        yield after(lambda edit, x: _with_mean(edit, x, 0))


def shift_batch(node: Node, setting: Setting) -> Iterator[Change]:
    """A row has what the row before it should have."""
    if is_leaf(node) and setting.is_led(node):
        yield after(shift(0, 1))


def attend_over_batch(node: Node, setting: Setting) -> Iterator[Change]:
    """The batch stands where the positions should."""
    op = node.op
    if not isinstance(op, Attention) or op.weights or len(node.inputs) > op.first or op.bias or op.factor:
        return
    turned = Transpose(order=(2, 1, 0, 3))

    def change(edit: Edit) -> Sequence[Value]:
        (found,) = edit.same(op, [edit.add(turned, x) for x in edit.inputs])
        return [edit.add(turned, found)]

    yield change


def mix_positions(node: Node, setting: Setting) -> Iterator[Change]:
    """The mean over all positions is added."""
    if is_leaf(node) and setting.is_sequence(node):
        yield after(lambda edit, x: _with_mean(edit, x, 1))


def look_ahead(node: Node, setting: Setting) -> Iterator[Change]:
    """A position has what the next one should have."""
    if is_leaf(node) and setting.is_sequence(node):
        yield after(shift(1, -1))


def lag_behind(node: Node, setting: Setting) -> Iterator[Change]:
    """A position has what the one before it should have."""
    if is_leaf(node) and setting.is_sequence(node):
        yield after(shift(1, 1))


def normalise_over(place: int) -> Changes:
    """An operator by which a norm is one over another axis, too."""

    def changes(node: Node, setting: Setting) -> Iterator[Change]:
        applies = setting.is_sequence(node) if place else setting.is_led(node)
        if isinstance(node.op, LayerNorm | RMSNorm | GroupNorm | L2Normalize) and applies:
            yield after(lambda edit, x: edit.add(L2Normalize(axis=place), x))

    return changes


def shift_keys(by: int) -> Changes:
    """An operator by which keys and values stand elsewhere, under a mask that tells positions apart."""
    moved = shift(2, by)

    def change(edit: Edit) -> Sequence[Value]:
        q, k, v, *more = edit.inputs
        return edit.same(inputs=[q, moved(edit, k), moved(edit, v), *more])

    def changes(node: Node, setting: Setting) -> Iterator[Change]:
        if isinstance(node.op, Attention) and not isinstance(node.op.mask, All):
            yield change

    return changes


def take_next(node: Node, setting: Setting) -> Iterator[Change]:
    """The position beside the one that is wanted, and a stretch that starts and ends one later or earlier."""
    op = node.op
    if isinstance(op, Take):
        yield lambda edit: edit.same(replace(op, index=op.index - 1 if op.index < 0 else op.index + 1))
    if isinstance(op, Slice) and op.stop is not None:
        for by in (1, -1):
            yield lambda edit, by=by: edit.same(replace(op, start=op.start + by, stop=op.stop + by))


def offset_positions(node: Node, setting: Setting) -> Iterator[Change]:
    """A table of positions is read one row late; of angles, which are relative, the first are lost, too."""
    places = {LearnedPositions: 0, SinusoidalPositions: 0, RotaryTable: -2, RotaryGridTable: -2}
    place = places.get(type(node.op))
    if place is not None:
        yield after(shift(place, 1))
