"""The block `patch_merging`."""

from typing import Annotated, ClassVar

from pydantic import Field

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.grid import grid_of
from archspec.blocks.parts.norm import norm_of
from archspec.blocks.parts.norm_fields import NormField
from archspec.blocks.parts.numbers import features, fixed
from archspec.blocks.parts.per_axis import PerAxisField, per_axis
from archspec.blocks.parts.values import sequence
from archspec.diagnostics import fail
from archspec.ir.graph import Value
from archspec.ir.types import axis
from archspec.ops.linear.linear import Linear
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.schema.model import TWO
from archspec.schema.sorts import BoolField, SizeField, ValueField


class PatchMergingBlock(Block):
    """The positions of each patch of a grid side by side, column by column, then a norm and a linear map.

    Parameters: `norm`, `weight` [dim, features * positions of a patch], `bias` [dim].
    Source: Liu et al. 2021 (Swin), arXiv 2103.14030, section 3.1.
    """

    block: ClassVar[str] = "patch_merging"
    makes_sequence = True

    input: ValueField = Field(description="float[batch, positions, features], the positions a grid, row by row")
    grid: Annotated[list[SizeField] | None, TWO] = Field(
        default=None, description="rows and columns of the positions; those of the image or map that they come from"
    )
    patch: PerAxisField | None = Field(
        default=None, description="side of a patch in positions, or [height, width]; it must divide the grid; 2"
    )
    dim: SizeField = Field(description="features of the result")
    norm: NormField = Field(default=None, description="a norm of the merged features")
    bias: BoolField | None = Field(default=None, description="whether the map has a bias; defaults.bias when left out")

    def build(self, cx: Context) -> Built:
        """Build the module; the result is float[batch, patches, dim].

        Raises SpecError E342 for an input that is not a sequence, E345 for a grid that is not known or has another
        number of positions, E349 for patches that do not divide it.
        """
        x = sequence(cx, self.input, "patch_merging")
        grid = grid_of(cx, self.grid, x, self.input.span)
        patch = (2, 2) if self.patch is None else per_axis(cx, self.patch, 2, fixed, "patch")
        counts = [self._count(side, own) for side, own in zip(grid, patch, strict=True)]
        # Only for its error: the weight has the merged features as an axis.
        features(x, self.input.span)
        norm, linear = (
            norm_of(cx, self.norm),
            Linear(out=axis(fixed(cx, self.dim, "dim")), bias=cx.defaults.bias if self.bias is None else self.bias),
        )
        b, sizes = cx.builder, (axis(counts[0]), axis(patch[0]), axis(counts[1]), axis(patch[1]))

        def body(x: Value) -> Value:
            # Swin's checkpoints hold the positions of a patch column by column, so the column goes before the row.
            y = b.add(Transpose(order=(0, 1, 3, 4, 2, 5)), b.add(Split(axis=1, sizes=sizes), x))
            y = b.add(Merge(axis=1), b.add(Merge(axis=3, count=3), y), result="x")
            return b.add(linear, y if norm is None else b.add(norm, y, name="norm"))

        (y,) = cx.module("PatchMerging", body, {"x": x})
        return Built(main=y)

    def _count(self, side: Dim, patch: int) -> Dim:
        """The number of patches along a side. Raises SpecError E349 for patches that do not fill it."""
        if compare(side % patch, "==", 0) is not True:
            at = self.input.span if self.patch is None else None
            fail("E349", f"a side of {side} positions is not divisible by the patch side {patch}", at)
        return side // patch
