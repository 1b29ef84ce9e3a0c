"""The block `add_positions`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.grid import grid_of
from archspec.blocks.parts.numbers import features
from archspec.blocks.parts.positions import PatchGrid, PositionsFields, plan_positions
from archspec.blocks.parts.values import sequence
from archspec.ir.graph import Value
from archspec.schema.sorts import ValueField


class AddPositionsBlock(Block, PositionsFields):
    """`x + positions`. Parameters: `positions` [rows, features], where they are learned."""

    block: ClassVar[str] = "add_positions"
    makes_sequence = True

    input: ValueField = Field(description="float[batch, positions, features]")

    def build(self, cx: Context) -> Built:
        """Build the sum as a module. Raises SpecError E342 unless the input is a sequence, or as `plan_positions`."""
        x = sequence(cx, self.input, "add_positions")
        width = features(x, self.input.span)
        positions = plan_positions(cx, self, x.type.shape[:2], width, self._grid(cx, x))
        (y,) = cx.module("AddPositions", lambda h: positions.add(cx.builder, h), {"x": x})
        return Built(main=y)

    def _grid(self, cx: Context, x: Value) -> PatchGrid | None:
        """The grid that positions are counted in; None for positions of a sequence. Raises SpecError E345."""
        if self.kind != "grid_sinusoidal":
            return None
        rows, columns = grid_of(cx, self.grid, x, self.at)
        return PatchGrid(rows=rows, columns=columns, tokens=0)
