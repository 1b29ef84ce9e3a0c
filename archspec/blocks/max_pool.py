"""The block `max_pool`."""

from typing import ClassVar, Literal

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.maps import feature_map
from archspec.blocks.parts.numbers import fixed, whole
from archspec.ops.convolution.window_pool import WindowPool
from archspec.schema.sorts import ExprField, SizeField, ValueField


class MaxPoolBlock(Block):
    """The largest element of each window of a map."""

    block: ClassVar[str] = "max_pool"
    makes_map = True
    _kind: ClassVar[Literal["max", "mean"]] = "max"

    input: ValueField = Field(description="float[batch, channels, x], or float[batch, channels, y, x]")
    kernel: SizeField = Field(description="size of a window along each spatial axis")
    stride: SizeField | None = Field(default=None, description="distance between windows; `kernel` when left out")
    padding: ExprField | None = Field(
        default=None,
        description="positions added at both ends: ignored by the maximum, zeros in the mean; 0 when left out",
    )

    def build(self, cx: Context) -> Built:
        """Build the pool over [batch, channels, space...].

        Raises SpecError E342 unless the input is a map, E341 for sizes that are not fixed, E244 for the padding.
        """
        x = feature_map(cx, self.input, self.block)
        space = x.type.rank - 2
        kernel = fixed(cx, self.kernel, "kernel")
        stride = kernel if self.stride is None else fixed(cx, self.stride, "stride")
        padding = 0 if self.padding is None else whole(cx, self.padding, "padding")
        op = WindowPool(kind=self._kind, kernel=(kernel,) * space, stride=(stride,) * space, padding=(padding,) * space)
        return Built(main=cx.leaf(op, x))
