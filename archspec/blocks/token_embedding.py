"""The block `token_embedding`."""

from typing import Annotated, ClassVar

from pydantic import Field

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.norm import norm_of
from archspec.blocks.parts.norm_fields import NormField
from archspec.blocks.parts.numbers import fixed, rate
from archspec.blocks.parts.positions import Positions, PositionsFields, plan_positions
from archspec.blocks.parts.values import ids, same_shape
from archspec.ir.builder import Body, Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.types import axis
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.dropout import Dropout
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.embedding import Embedding
from archspec.record import record
from archspec.schema.model import MAYBE, Model
from archspec.schema.sorts import ExprField, SizeField, ValueField


class TypesFields(Model):
    """A second table that is added: token types, or segments."""

    ids: ValueField = Field(description="the type of each token, integers")
    count: SizeField = Field(description="number of types, the rows of the table")


class TokenEmbeddingBlock(Block):
    """`table[ids] * scale + types + positions`, then norm, then dropout.

    Parameters: `table` [vocab, dim], `types` [count, dim], `positions` [rows, dim], `norm`.
    """

    block: ClassVar[str] = "token_embedding"
    feeds: ClassVar[str | None] = None
    makes_sequence = True

    ids: ValueField = Field(description="token ids, integers with any axes")
    vocab: SizeField = Field(description="rows of the table; the bound of the ids must not exceed it")
    dim: SizeField = Field(description="number of features of a token")
    scale: ExprField | None = Field(default=None, description="factor on the rows of the table; 1 when left out")
    types: Annotated[TypesFields | None, MAYBE] = Field(default=None, description="a second table that is added")
    positions: Annotated[PositionsFields | None, MAYBE] = Field(default=None, description="positions that are added")
    norm: NormField = Field(default=None, description="a norm of the sum")
    dropout: ExprField | None = Field(default=None, description="dropout rate; defaults.dropout when left out")

    def build(self, cx: Context) -> Built:
        """Build the embedding of ids [...]; the result is [..., dim].

        Raises SpecError E342 for ids that are not integers, E343 for a bound above the rows, E347 for types over other
        axes, and those of positions and of the norm.
        """
        rows, width = fixed(cx, self.vocab, "vocab"), fixed(cx, self.dim, "dim")
        tokens = ids(cx, self.ids, "`ids`", rows, self.vocab.span, what="the table")
        types, table = self._types(cx, tokens, width)
        plan = _Sum(
            table=Embedding(rows=Dim.of(rows), features=axis(width)),
            scale=None if self.scale is None else cx.number(self.scale),
            types=table,
            positions=self._positions(cx, tokens, width),
            norm=norm_of(cx, self.norm),
            dropout=rate(cx, self.dropout, cx.defaults.dropout),
        )
        inputs = {"ids": tokens} if types is None else {"ids": tokens, "types": types}
        (x,) = cx.module("TokenEmbedding", plan.body(cx.builder), inputs)
        return Built(main=x)

    def _types(self, cx: Context, tokens: Value, width: int) -> tuple[Value | None, Op | None]:
        """The type ids and the op of their table; None for both if there are no types. Raises SpecError."""
        if self.types is None:
            return None, None
        count = fixed(cx, self.types.count, "count")
        value = ids(cx, self.types.ids, "`types`", count, self.types.count.span, what="the table of types")
        same_shape(value, tokens.type.shape, self.types.ids.span, "`types`")
        return value, Embedding(rows=Dim.of(count), features=axis(width))

    def _positions(self, cx: Context, tokens: Value, width: int) -> Positions | None:
        """The positions that are added; None if none are given. Raises SpecError as `plan_positions` does."""
        if self.positions is None:
            return None
        return plan_positions(cx, self.positions, tokens.type.shape, width)


@record
class _Sum:
    """The terms of an embedding, their numbers evaluated."""

    table: Op
    scale: Scalar | None
    types: Op | None
    positions: Positions | None
    norm: Op | None
    dropout: float

    def body(self, b: Builder) -> Body:
        """The body of the module, a function of the token ids and, if there are types, of the type ids."""

        def embed(tokens: Value, types: Value | None = None) -> Value:
            x = b.add(self.table, tokens, result="x")
            # As in Vaswani et al. 2017, the factor is on rows of the table, before types and positions are added.
            if self.scale is not None and self.scale != Scalar.of(1):
                x = b.add(WithNumber(kind="multiply", number=self.scale), x, result="x")
            if self.types is not None and types is not None:
                x = b.add(Binary(kind="add"), x, b.add(self.types, types, rename={"table": "types"}), result="x")
            if self.positions is not None:
                x = self.positions.add(b, x)
            return finish(b, x, self.norm, self.dropout)

        return embed


def finish(b: Builder, x: Value, norm: Op | None, dropout: float) -> Value:
    """Add the end of an embedding: the norm, if there is one, then dropout, if its rate is not 0."""
    if norm is not None:
        x = b.add(norm, x, name="norm", result="x")
    return b.add(Dropout(rate=dropout), x, result="x") if dropout else x
