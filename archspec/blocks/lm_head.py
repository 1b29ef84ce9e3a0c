"""The block `lm_head`."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import cap, features, fixed
from archspec.blocks.parts.tie import tied_weight
from archspec.blocks.parts.values import floats
from archspec.diagnostics import Diagnostic, Label
from archspec.ir.graph import Parameter, Value
from archspec.ir.types import axis
from archspec.ops.attention.softcap import Softcap
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.linear import Linear
from archspec.schema.findings import word
from archspec.schema.model import MAYBE
from archspec.schema.sorts import BoolField, ExprField, PathField, SizeField, ValueField
from archspec.text.nodes import Node


class LmHeadBlock(Block):
    """`softcap(scale * x W^T + bias)`: a score for every token of the vocabulary.

    Parameters: `weight` [vocab, features], `bias` [vocab].
    """

    block: ClassVar[str] = "lm_head"
    makes_sequence = True

    input: ValueField = Field(description="float[..., features]")
    vocab: SizeField | None = Field(default=None, description="number of tokens; that of `tie` when left out")
    tie: Annotated[PathField | None, MAYBE] = Field(
        default=None, description="the parameter that is used as the weight, such as `source.table`"
    )
    bias: BoolField = Field(default=False, description="whether a bias is added")
    scale: ExprField | None = Field(default=None, description="factor on the scores before the bias; 1 when left out")
    softcap: Annotated[ExprField | None, MAYBE] = Field(
        default=None, description="scores become softcap * tanh(scores / softcap)"
    )

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        # `tie: none` names no owner either, and then nothing tells the number of rows.
        if "vocab" not in data and word(data.get("tie")) in (None, "none"):
            yield Diagnostic(
                code="E242",
                message="`lm_head` needs `vocab` or `tie`",
                primary=Label(cls._place(node)),
                help="write `tie: source.table` to share the table of an embedding",
            )

    def build(self, cx: Context) -> Built:
        """Build the head over x [..., features]; the result is [..., vocab].

        Raises SpecError E342 unless the input is floats, E341 for sizes that are not fixed, E346 for a tied weight of
        another shape.
        """
        x = floats(cx, self.input, "lm_head")
        width = features(x, self.input.span)
        rows, tie = self._weight(cx, width)
        # (s x) W^T is s (x W^T), and scaling x is cheaper: it has fewer features than there are tokens.
        y = cx.leaf(Linear(out=axis(rows), bias=self.bias), self._scaled(cx, x), tie=tie)
        if self.softcap is not None:
            y = cx.builder.add(Softcap(cap=cap(cx, self.softcap)), y)
        return Built(main=y)

    def _weight(self, cx: Context, width: int) -> tuple[int, dict[str, Parameter]]:
        """The number of rows of the weight, and the tie if another node owns the weight. Raises SpecError."""
        rows = None if self.vocab is None else fixed(cx, self.vocab, "vocab")
        # The rows of a tied weight are known from its owner, so `vocab` is only compared with them.
        if self.tie is not None:
            place = None if self.vocab is None else self.vocab.span
            return tied_weight(cx, self.tie, rows, place, width, self.input.span)
        # `_check` has refused a head that gives neither `vocab` nor `tie`.
        assert rows is not None
        return rows, {}

    def _scaled(self, cx: Context, x: Value) -> Value:
        if self.scale is None:
            return x
        return cx.builder.add(WithNumber(kind="multiply", number=cx.number(self.scale)), x)
