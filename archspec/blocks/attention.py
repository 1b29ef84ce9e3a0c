"""The block `attention`."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.attend import Attend, plan_attention
from archspec.blocks.parts.attention import AttentionOptions
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import fixed
from archspec.blocks.parts.top import Top
from archspec.blocks.parts.values import sequence
from archspec.ir.graph import Value
from archspec.ir.types import axis
from archspec.schema.sorts import SizeField, ValueField


class AttentionBlock(Block, AttentionOptions):
    """Attention with its projections, outside a stack: no norm before it, and no residual.

    Parameters: `q`, `k`, `v`, `out`, `q_norm`, `k_norm`, `sink`, `positions`, and those of latents.
    """

    block: ClassVar[str] = "attention"
    makes_sequence = True
    feeds: ClassVar[str | None] = "query"

    query: ValueField = Field(description="float[batch, positions, features]; the result has this type, but for `dim`")
    memory: ValueField | None = Field(
        default=None, description="the sequence attended to, float[batch, positions, features]; `query` when left out"
    )
    dim: SizeField | None = Field(default=None, description="features of the result; those of `query` when left out")

    def build(self, cx: Context) -> Built:
        """Build the attention of `query` to `memory`.

        Raises SpecError E342 for a value that is not a sequence, E347 for another batch, E340 for heads that do not
        divide, E401 to E404 for the mask, and those of positions and latents.
        """
        x = sequence(cx, self.query, "`query`")
        plan = plan_attention(cx, cx, self, x, self.memory)
        out = None if self.dim is None else axis(fixed(cx, self.dim, "dim"))
        # There is no stack around a single layer, at whose top shared values would stand.
        plan = replace(plan, positions=plan.positions.apart(), out=out)
        inputs = {"x": x} if plan.memory is None else {"x": x, "memory": plan.memory}

        def body(x: Value, memory: Value | None = None) -> Value:
            inner: Attend = replace(plan, memory=memory).prepared(Top(cx.builder, x))
            return inner.body(cx.builder, x, memory)

        (y,) = cx.module(plan.kind, body, inputs)
        return Built(main=y)
