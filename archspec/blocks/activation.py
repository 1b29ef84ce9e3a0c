"""ACT, and the block `activation`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.values import floats
from archspec.ops.elementwise.activation import Activation as ActivationOp
from archspec.schema.model import MAYBE
from archspec.schema.sorts import ValueField

Act = Literal["relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid", "relu_squared", "relu6"]
ActField = Annotated[Act | None, MAYBE]
"""ACT: an activation, or `none`."""


class ActivationBlock(Block):
    """An elementwise activation."""

    block: ClassVar[str] = "activation"
    keeps_axes = True

    input: ValueField = Field(description="float[...]")
    kind: ActField = Field(description="the activation; none leaves the value as it is")

    def build(self, cx: Context) -> Built:
        """Build the activation; `none` returns the input. Raises SpecError E342 unless the input is floats."""
        x = floats(cx, self.input, "activation")
        # Nothing stands for `none`, so that no identity appears in the graph or in the emitted module.
        return Built(main=x if self.kind is None else cx.leaf(ActivationOp(kind=self.kind), x))
