"""The block `attend`."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.algebra.dim import compare
from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import cap, features, fixed
from archspec.blocks.parts.values import sequence
from archspec.diagnostics import Label, fail
from archspec.ir.graph import Value
from archspec.ir.types import DType, axis
from archspec.masks.field import MaskField
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.unnormalised_attention import UnnormalisedAttention
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.schema.model import MAYBE
from archspec.schema.sorts import ExprField, SizeField, ValueField
from archspec.text.value import ValueExpr


class AttendBlock(Block):
    """Attention without projections, for user-defined blocks.

    `weights(softcap(scale * q k^T) + add) v` per head; a row with no key gives zeros.
    """

    block: ClassVar[str] = "attend"
    makes_sequence = True
    feeds: ClassVar[str | None] = "query"

    query: ValueField = Field(description="float[batch, queries, heads * head_dim]")
    key: ValueField = Field(description="float[batch, keys, heads * head_dim]")
    value: ValueField = Field(description="float[batch, keys, heads * value_dim]")
    mask: MaskField = Field(description="which keys a query may attend to; `all` when nothing is masked")
    heads: SizeField | None = Field(default=None, description="number of heads; 1 when left out")
    scale: ExprField | None = Field(default=None, description="factor on the scores; 1/sqrt(head_dim) when left out")
    softcap: Annotated[ExprField | None, MAYBE] = Field(
        default=None, description="scores become softcap * tanh(scores / softcap)"
    )
    add: Annotated[ValueField | None, MAYBE] = Field(
        default=None, description="a value added to the scores, broadcast to [batch, heads, queries, keys]"
    )
    weights: Literal["softmax", "relu_squared", "sigmoid"] = Field(
        default="softmax", description="the function that turns scores into weights"
    )

    def build(self, cx: Context) -> Built:
        """Build the attention on q [batch, queries, features], k and v [batch, keys, features].

        Raises SpecError E342 for a value that is not a sequence, E347 for axes that do not match, E340 for heads that
        do not divide the features, E401 to E404 for the mask.
        """
        q, k, v = (
            sequence(cx, expr, f"`{name}`")
            for name, expr in (("query", self.query), ("key", self.key), ("value", self.value))
        )
        self._same(cx, q, k, 0, self.key)
        self._same(cx, q, k, 2, self.key)
        self._same(cx, k, v, 0, self.value)
        self._same(cx, k, v, 1, self.value)
        heads = 1 if self.heads is None else fixed(cx, self.heads, "heads")
        size = self._head_size(q, heads, self.query)
        mask, controls = cx.mask(self.mask, q, k)
        added = () if self.add is None else (self._added(cx, self.add),)
        options: dict[str, Any] = {
            "mask": mask,
            "scale": self._scale(cx, size),
            "softcap": None if self.softcap is None else cap(cx, self.softcap),
            "bias": bool(added),
        }
        op = Attention(**options) if self.weights == "softmax" else UnnormalisedAttention(kind=self.weights, **options)
        split = (self._heads(cx, x, heads, expr) for x, expr in ((q, self.query), (k, self.key), (v, self.value)))
        y = cx.builder.add(op, *split, *added, *controls)
        return Built(main=cx.leaf(Merge(axis=2), cx.builder.add(Transpose(order=(0, 2, 1, 3)), y)))

    def _same(self, cx: Context, left: Value, right: Value, number: int, expr: ValueExpr) -> None:
        """Raise SpecError E347 unless axis `number` has the same size in both values."""
        # `compare` is None where the admitted sizes do not decide: only a proof of equality passes.
        if compare(left.type.shape[number], "==", right.type.shape[number]) is not True:
            made = cx.origin(left)
            labels = () if made is None else (made,)
            fail("E347", f"axis {number} of {right.type} does not match {left.type}", expr.span, secondary=labels)

    def _scale(self, cx: Context, size: int) -> Scalar | None:
        """The factor on the scores; None for 1/sqrt(size), which kernels apply by default."""
        scale = None if self.scale is None else cx.number(self.scale)
        # Torch-TensorRT rounds an explicit `scale` to the dtype of the queries, so the default is left to the kernel.
        return None if scale == Scalar.of(1) / Scalar.of(size).sqrt() else scale

    def _added(self, cx: Context, expr: ValueExpr) -> Value:
        """The value that is added to the scores; the op checks its axes. Raises SpecError E342 unless it is floats."""
        value = cx.value(expr)
        if value.type.dtype is not DType.FLOAT:
            fail("E342", f"`add` takes floats, got {value.type}", expr.span)
        return value

    def _head_size(self, x: Value, heads: int, expr: ValueExpr) -> int:
        """The number of features of a head. Raises SpecError E340 if the heads do not divide the features."""
        width = features(x, expr.span)
        if width % heads:
            labels = () if self.heads is None else (Label(self.heads.span, f"{heads} heads"),)
            help = f"choose a number that divides {width}"
            fail("E340", f"{heads} heads do not divide {width} features", expr.span, secondary=labels, help=help)
        return width // heads

    def _heads(self, cx: Context, x: Value, heads: int, expr: ValueExpr) -> Value:
        """The value split into heads: [batch, heads, positions, features of a head]."""
        sizes = (axis(heads), axis(self._head_size(x, heads, expr)))
        parts = cx.builder.add(Split(axis=2, sizes=sizes), x)
        return cx.builder.add(Transpose(order=(0, 2, 1, 3)), parts)
