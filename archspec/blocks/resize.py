"""The block `resize`."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.maps import feature_map
from archspec.blocks.parts.per_axis import PerAxisField, each_axis
from archspec.diagnostics import Diagnostic, Label, fail
from archspec.ops.convolution.resize import Resize
from archspec.ops.position.interpolation import Interpolation
from archspec.schema.sorts import ExprField, ValueField
from archspec.text.nodes import Node

_MODES: dict[tuple[str, int], Interpolation] = {
    ("nearest", 1): "nearest",
    ("nearest", 2): "nearest",
    ("linear", 1): "linear",
    ("bilinear", 2): "linear",
    ("bicubic", 2): "cubic",
}


class ResizeBlock(Block):
    """Interpolate the spatial axes to other sizes: corners not aligned, no antialiasing."""

    block: ClassVar[str] = "resize"
    makes_map = True

    input: ValueField = Field(description="float[batch, channels, x], or float[batch, channels, y, x]")
    mode: Literal["nearest", "linear", "bilinear", "bicubic"] = Field(
        description="the interpolation: `nearest`, `linear` over one spatial axis, `bilinear` or `bicubic` over two"
    )
    size: PerAxisField | None = Field(
        default=None, description="the new size of each spatial axis, or a list; either this or `factor`"
    )
    factor: ExprField | None = Field(
        default=None, description="factor on all sizes, such as 2 or 1/2; the new ones must be whole"
    )

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        if ("size" in data) == ("factor" in data):
            message = "`resize` needs either `size` or `factor`"
            place = getattr(node, "place", node.span)
            yield Diagnostic(code="E242", message=message, primary=Label(place), help="give one of them")

    def build(self, cx: Context) -> Built:
        """Build the resize. Raises SpecError E342 unless the input is a map, E242 for a mode of other axes, E301."""
        x = feature_map(cx, self.input, "resize")
        space = x.type.rank - 2
        mode = _MODES.get((self.mode, space))
        if mode is None:
            axes = "one spatial axis" if space == 1 else "two spatial axes"
            known = ", ".join(f"`{word}`" for word, count in _MODES if count == space)
            help = f"use one of {known}"
            fail("E242", f"`{self.mode}` does not apply to {axes}", self.input.span, help=help)
        return Built(main=cx.leaf(Resize(mode=mode, sizes=self._sizes(cx, x.type.shape[2:])), x))

    def _sizes(self, cx: Context, old: Sequence[Dim]) -> tuple[Dim, ...]:
        """The new sizes. Raises SpecError E301 for one that is not whole."""
        if self.size is not None:
            return tuple(cx.size(expr) for expr in each_axis(self.size, len(old), "size"))
        assert self.factor is not None
        factor = cx.number(self.factor)
        # `as_dim` is None unless the product is whole at every admitted size.
        found = [(Scalar.of(size) * factor).as_dim() for size in old]
        for size, new in zip(old, found, strict=True):
            if new is None:
                help = "choose a factor, or a `multiple` of the dims, that gives whole sizes"
                fail("E301", f"a size of {size} times `factor` is not whole", self.factor.span, help=help)
        return tuple(new for new in found if new is not None)
