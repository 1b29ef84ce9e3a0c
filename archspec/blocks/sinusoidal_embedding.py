"""The block `sinusoidal_embedding`."""

from typing import ClassVar, Literal

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import fixed, positive
from archspec.blocks.parts.values import floats
from archspec.diagnostics import fail
from archspec.ops.position.sinusoids import Sinusoids
from archspec.schema.sorts import BoolField, ExprField, SizeField, ValueField


class SinusoidalEmbeddingBlock(Block):
    """Sines and cosines of each number, at `dim / 2` frequencies from 1 downwards: the time of a diffusion, a scale.

    In bfloat16 numbers above 256 are rounded before they come here: give the time in 0 to 1 there, times a number.
    """

    block: ClassVar[str] = "sinusoidal_embedding"

    input: ValueField = Field(description="float[...]: numbers, such as one time for each row, float[batch]")
    dim: SizeField = Field(description="features of a number, even; the result has them as its last axis")
    base: ExprField | None = Field(default=None, description="longest wavelength over 2 pi; 10000 when left out")
    layout: Literal["interleaved", "halves"] = Field(
        default="interleaved", description="sine and cosine side by side, or all of one before all of the other"
    )
    first: Literal["sine", "cosine"] = Field(default="sine", description="which of the two comes first")
    endpoint: BoolField = Field(default=False, description="whether the lowest frequency is exactly 1/base")

    def build(self, cx: Context) -> Built:
        """Build the waves. Raises SpecError E342 unless the input is floats, E348 for an odd number of features."""
        x = floats(cx, self.input, "sinusoidal_embedding")
        width = fixed(cx, self.dim, "dim")
        if width % 2:
            message = f"sines and cosines come in pairs: `dim` must be even, got {width}"
            fail("E348", message, self.dim.span, help=f"choose {width - 1} or {width + 1}")
        base = 10000.0 if self.base is None else positive(cx, self.base, "base")
        op = Sinusoids(features=width, base=base, layout=self.layout, first=self.first, endpoint=self.endpoint)
        return Built(main=cx.leaf(op, x))
