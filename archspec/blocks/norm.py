"""The block `norm`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.axis import resolve_axis
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.norm import along, channel_norm_op, default_norm
from archspec.blocks.parts.norm_fields import Kind, NormOptions
from archspec.blocks.parts.values import floats
from archspec.diagnostics import fail
from archspec.ir.op import Op
from archspec.ops.shape.transpose import Transpose
from archspec.schema.sorts import ValueField
from archspec.schema.words import AxisField


class NormBlock(Block, NormOptions):
    """A norm along one axis; without any options, `defaults.norm` of the file.

    Parameters: `weight` [axis], `bias` [axis].
    """

    block: ClassVar[str] = "norm"
    keeps_axes = True

    input: ValueField = Field(description="float[...]")
    axis: AxisField | None = Field(default=None, description="the axis; the last when left out")
    kind: Kind | None = Field(default=None, description="which norm; defaults.norm when left out")

    def build(self, cx: Context) -> Built:
        """Build the norm; axes are swapped around it if it works along another axis than the one named."""
        x = floats(cx, self.input, "norm")
        if self.axis is None and cx.is_map(x):
            channels, last = x.type.shape[1], x.type.shape[-1]
            message = (
                f"without `axis` this norm is along the last axis of a map ({last}), not its channels ({channels})"
            )
            cx.warn("W241", message, self.at, help="write `axis: 1` for the channels, or `axis: -1` for the last axis")
        op = self._op(cx)
        order = along(op, resolve_axis(cx, self.axis, x), x.type.rank)
        if order is None:
            return Built(main=cx.leaf(op, x))
        y = cx.leaf(op, cx.builder.add(Transpose(order=order), x))
        # `along` exchanges two axes, so the same order puts them back.
        return Built(main=cx.builder.add(Transpose(order=order), y))

    def _op(self, cx: Context) -> Op:
        """The op of the norm. Raises SpecError E203 for options without a kind, E243 without a default norm."""
        if self.kind is not None:
            return channel_norm_op(cx, self.kind, self)
        # Options of a norm whose kind the file chooses elsewhere might not apply to it.
        if self.given & NormOptions.model_fields.keys():
            fail("E203", "missing field `kind`", self.at, help="a norm with options needs a `kind`")
        default = default_norm(cx, self.at)
        return channel_norm_op(cx, default.kind, default)
