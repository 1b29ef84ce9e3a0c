"""The block `affine`."""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import features
from archspec.blocks.parts.values import floats
from archspec.diagnostics import Diagnostic, Label
from archspec.ops.norm.affine import Affine as AffineOp
from archspec.schema.findings import word
from archspec.schema.sorts import BoolField, ValueField
from archspec.text.nodes import Node


class AffineBlock(Block):
    """`scale * x + shift` over the last axis; `init` gives the initial scale, 1 when left out.

    Parameters: `scale` [features], `shift` [features].
    """

    block: ClassVar[str] = "affine"
    keeps_axes = True

    input: ValueField = Field(description="float[..., features]")
    scale: BoolField = Field(default=True, description="whether features are scaled")
    shift: BoolField = Field(default=True, description="whether a learned vector is added")

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        if word(data.get("scale")) == "false" and word(data.get("shift")) == "false":
            yield Diagnostic(code="E242", message="neither `scale` nor `shift` is enabled", primary=Label(node.span))

    def build(self, cx: Context) -> Built:
        """Build the map. Raises SpecError E342 unless the input is floats, E341 if its features are not fixed."""
        x = floats(cx, self.input, "affine")
        # Only for its error: parameters have an entry for each feature, so their number must be known before run time.
        features(x, self.input.span)
        init = None if self.init is None else self.init.resolve(cx.constant)
        return Built(main=cx.leaf(AffineOp(scale=self.scale, shift=self.shift, init=init), x))
