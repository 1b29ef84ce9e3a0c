"""The block `feed_forward`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.feed_forward import FeedForwardOptions, plan_feed_forward
from archspec.blocks.parts.numbers import features
from archspec.blocks.parts.values import sequence
from archspec.schema.sorts import ValueField


class FeedForwardBlock(Block, FeedForwardOptions):
    """A feed-forward layer of each position, outside a stack: no norm before it, and no residual.

    Parameters: `up`, `down` and, if gated, `gate`; those of a mixture of experts.
    """

    block: ClassVar[str] = "feed_forward"
    makes_sequence = True

    input: ValueField = Field(description="float[batch, positions, features]; the result has this type")

    def build(self, cx: Context) -> Built:
        """Build the layer. Raises SpecError E342 for another value, E341 for features only known at run time."""
        x = sequence(cx, self.input, "feed_forward")
        # Only for its error: the maps have the features as an axis of their weights.
        features(x, self.input.span)
        plan = plan_feed_forward(cx, self)
        (y,) = cx.module(plan.kind, lambda x: plan.body(cx.builder, x), {"x": x})
        return Built(main=y)
