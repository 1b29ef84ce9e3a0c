"""The field `residual` of TRANSFORMER: how the sublayers of a layer are joined."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import Field

from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.numbers import rate_of_layers
from archspec.blocks.parts.top import Top
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.init import Init
from archspec.ir.op import Op
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.drop_path import DropPath
from archspec.ops.elementwise.dropout import Dropout
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.learned import Learned
from archspec.record import record
from archspec.schema.init import InitFields
from archspec.schema.model import Model
from archspec.schema.plain import Around
from archspec.schema.sorts import ExprField, text_of
from archspec.text.expr import Expr, parse_expr
from archspec.text.nodes import MapNode, Node

Kind = Literal["pre", "post", "post_branch", "sandwich", "parallel", "parallel_split", "bare"]
PARALLEL = ("parallel", "parallel_split")
NORM_FIRST = ("pre", "sandwich", *PARALLEL)


class LearnedScaleFields(Model):
    """A learned factor for each feature of a branch."""

    kind: Literal["learned"] = Field(description="a learned factor")
    init: InitFields = Field(description="initial values of the factors")


def _scale(node: Any, handler: Any) -> Any:
    """The scale of branches: a map of the fields of a learned scale, or an expression."""
    if not isinstance(node, Node):
        return handler(node)
    if isinstance(node, MapNode):
        return LearnedScaleFields.read(node)
    return parse_expr(text_of(node, "a number"))


class ResidualFields(Model):
    """How sublayers f and g are combined with their input x."""

    shorthand: ClassVar[str | None] = "kind"

    kind: Kind = Field(
        description="pre x + f(norm(x)); post norm(x + f(x)); post_branch x + norm(f(x)); "
        "sandwich x + norm2(f(norm1(x))); parallel x + f(norm(x)) + g(norm(x)); "
        "parallel_split x + f(norm1(x)) + g(norm2(x)); bare x + f(x)"
    )
    branch_scale: Annotated[ExprField | LearnedScaleFields | None, Around(_scale)] = Field(
        default=None, description="factor on every branch: a number, or learned for each feature; 1 when left out"
    )
    skip_scale: ExprField | None = Field(default=None, description="factor on x in the sum; 1 when left out")
    drop_path: ExprField | None = Field(
        default=None, description="in training, the probability that a branch is dropped; 0 when left out"
    )


class Branch(Protocol):
    """The computation of a sublayer."""

    @property
    def kind(self) -> str:
        """The name of the class of its module."""
        ...

    def body(self, b: Builder, x: Value) -> Value:
        """The computation on x as the body of a module; the result has the type of x."""
        ...

    def prepared(self, top: Top) -> "Branch":
        """The same branch with what all layers share, built at the top of the stack."""
        ...

    def call(self, b: Builder, name: str, x: Value) -> Value:
        """Add the branch as a module named `name` over x; the result has the type of x."""
        ...


@record
class Sublayer:
    """One sublayer of a layer: its name, whether a norm precedes it, and its computation."""

    name: str
    pre_norm: bool
    part: Branch

    def prepared(self, top: Top) -> Self:
        """The same sublayer with what all layers share, built at the top of the stack."""
        return replace(self, part=self.part.prepared(top))


@record
class Residual:
    """A way of joining sublayers whose numbers are known; None stands for no norm, factor 1 and no drop path."""

    kind: Kind
    norm: Op | None
    dropout: float
    branch_scale: Scalar | Init | None = None
    skip_scale: Scalar | None = None
    drop_path: Scalar | None = None

    def join(self, b: Builder, x: Value, sublayers: Sequence[Sublayer]) -> Value:
        """Run the sublayers of one layer on x [batch, positions, features], in sequence or in parallel.

        Parameters: `SUBLAYER_norm`, `SUBLAYER_post_norm` (sandwich), `norm` (parallel), `SUBLAYER_scale` (learned).
        """
        if self.kind in PARALLEL:
            return self._side_by_side(b, x, sublayers)
        for sublayer in sublayers:
            branch = self._branch(b, sublayer, self._before(b, sublayer, x))
            last = self.kind == "post"
            x = b.add(Binary(kind="add"), self._skip(b, x), branch, result="" if last else "x")
            x = self._norm(b, x, f"{sublayer.name}_norm", result="x") if last else x
        return x

    def _side_by_side(self, b: Builder, x: Value, sublayers: Sequence[Sublayer]) -> Value:
        """Run the sublayers on the same input and add all branches to it."""
        # `parallel` has one norm for all branches, `parallel_split` one for each.
        shared = self.kind == "parallel" and any(sublayer.pre_norm for sublayer in sublayers)
        h = self._norm(b, x, "norm", result="h") if shared else x
        total = self._skip(b, x)
        for sublayer in sublayers:
            start = (h if sublayer.pre_norm else x) if shared else self._before(b, sublayer, x)
            total = b.add(Binary(kind="add"), total, self._branch(b, sublayer, start), result="y")
        return total

    def _before(self, b: Builder, sublayer: Sublayer, x: Value) -> Value:
        """The input of a sublayer: x, after a norm if the residual has one before the sublayer."""
        if self.kind not in NORM_FIRST or not sublayer.pre_norm:
            return x
        return self._norm(b, x, f"{sublayer.name}_norm")

    def _branch(self, b: Builder, sublayer: Sublayer, x: Value) -> Value:
        """The output of a sublayer as it is added to x: after its post norm, scale, dropout and drop path."""
        y = sublayer.part.call(b, sublayer.name, x)
        if self.kind in ("post_branch", "sandwich"):
            suffix = "post_norm" if self.kind == "sandwich" else "norm"
            y = self._norm(b, y, f"{sublayer.name}_{suffix}")
        if isinstance(self.branch_scale, Scalar):
            y = b.add(WithNumber(kind="multiply", number=self.branch_scale), y)
        elif self.branch_scale is not None:
            # LayerScale, a factor for each feature (Touvron et al. 2021, arXiv 2103.17239).
            op = Learned(axes=y.type.axes[-1:], static=(True,), init=self.branch_scale)
            y = b.add(Binary(kind="multiply"), y, b.add(op, y, rename={"value": f"{sublayer.name}_scale"}))
        y = b.add(Dropout(rate=self.dropout), y) if self.dropout else y
        return y if self.drop_path is None else b.add(DropPath(rate=self.drop_path), y)

    def _skip(self, b: Builder, x: Value) -> Value:
        """x as it enters the sum, multiplied by the factor of the skip connection if there is one."""
        return x if self.skip_scale is None else b.add(WithNumber(kind="multiply", number=self.skip_scale), x)

    def _norm(self, b: Builder, x: Value, name: str, result: str = "") -> Value:
        """x after the norm of the residual, with its parameters under `name`; x itself for residual bare."""
        return x if self.norm is None else b.add(self.norm, x, name=name, result=result)


def plan_residual(cx: Context, inner: Context, fields: ResidualFields, norm: Op | None, dropout: float) -> Residual:
    """Check and evaluate the numbers of a residual; `inner` is the context inside the layers.

    Raises SpecError E244 for a rate out of range, E341 for a drop path that depends on dims.
    """
    scale = fields.branch_scale
    return Residual(
        kind=fields.kind,
        norm=norm,
        dropout=dropout,
        branch_scale=_learned(cx, scale) if isinstance(scale, LearnedScaleFields) else _factor(inner, scale),
        skip_scale=_factor(inner, fields.skip_scale),
        drop_path=None if fields.drop_path is None else rate_of_layers(inner, fields.drop_path),
    )


def _learned(cx: Context, fields: LearnedScaleFields) -> Init:
    """The initialisation of the learned factors of a branch."""
    return fields.init.resolve(cx.constant)


def _factor(cx: Context, expr: Expr | None) -> Scalar | None:
    """A factor; None for 1, so that no multiplication is emitted."""
    factor = None if expr is None else cx.number(expr)
    return None if factor == Scalar.of(1) else factor
