"""FEED_FORWARD: the sublayer that maps each position independently."""

from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from archspec.blocks.activation import Act, ActField
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.experts import ExpertsFields, plan_experts
from archspec.blocks.parts.numbers import fixed, positive, rate
from archspec.blocks.parts.residual import Branch
from archspec.blocks.parts.top import Top
from archspec.diagnostics import fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.types import Axis, axis
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.clamp import GateClamp
from archspec.ops.elementwise.dropout import Dropout
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.linear import Linear
from archspec.ops.routing.experts import Experts
from archspec.record import record
from archspec.schema.model import MAYBE, Model
from archspec.schema.sorts import BoolField, ExprField, SizeField


class ClampFields(Model):
    """Limits in a gated layer: gate at most `limit`, `up` within `-limit` and `limit`, then plus `offset`."""

    limit: ExprField = Field(description="the largest gate, and the largest magnitude of what it multiplies")
    offset: ExprField | None = Field(
        default=None, description="number added to what the gate multiplies, after the limit; 0 when left out"
    )


class FeedForwardOptions(Model):
    """Plain: `down(act(up(x)))`; gated: `down(act(gate(x)) * up(x))`."""

    hidden: SizeField = Field(description="number of features between the two maps")
    activation: ActField = Field(description="the activation, or none")
    gated: BoolField = Field(default=False, description="whether a gate multiplies the hidden features")
    clamp: Annotated[ClampFields | None, MAYBE] = Field(
        default=None, description="limits of the gate, before the activation, and of what it multiplies; needs `gated`"
    )
    bias: BoolField | None = Field(default=None, description="whether maps have a bias; defaults.bias when left out")
    dropout: ExprField | None = Field(default=None, description="dropout rate between the two maps; 0 when left out")
    experts: Annotated[ExpertsFields | None, MAYBE] = Field(default=None, description="a mixture of experts")


class FeedForwardFields(FeedForwardOptions):
    """Plain: `down(act(up(x)))`; gated: `down(act(gate(x)) * up(x))`."""

    pre_norm: BoolField = Field(default=True, description="false drops the norm before this sublayer")


@record
class FeedForward:
    """A feed-forward sublayer whose sizes are known."""

    kind: ClassVar[str] = "FeedForward"

    hidden: Axis
    activation: Act | None
    gated: bool
    bias: bool
    dropout: float
    clamp: GateClamp | None = None

    def prepared(self, top: Top) -> "FeedForward":
        """The same sublayer: its layers share nothing."""
        return self

    def call(self, b: Builder, name: str, x: Value) -> Value:
        """Add the sublayer as a module over x [batch, positions, features]; the result has the type of x.

        Parameters: `up`, `down` and, if gated, `gate`.
        """
        (y,) = b.call(name, self.kind, lambda h: self.body(b, h), {"x": x}, results=("",))
        return y

    def experts(self, top_k: int) -> Experts:
        """The op of many experts that each have the fields of this sublayer; a token passes `top_k` of them."""
        # `plan_feed_forward` makes the axis of a fixed size, so the constant exists.
        hidden = self.hidden.size.constant
        assert hidden is not None
        return Experts(
            top_k=top_k,
            hidden=hidden,
            activation=self.activation,
            gated=self.gated,
            bias=self.bias,
            dropout=self.dropout,
            clamp=self.clamp,
        )

    def body(self, b: Builder, x: Value) -> Value:
        """The body of the module: up (and gate), activation, dropout, down."""
        out = x.type.axes[-1]
        # The activation is applied to the gate if there is one, otherwise to the only map.
        h = self._map(b, x, "gate" if self.gated else "up", self.hidden)
        if self.clamp is not None:
            h = b.add(self.clamp.gate, h, result="h")
        if self.activation is not None:
            h = b.add(Activation(kind=self.activation), h, result="h")
        if self.gated:
            h = b.add(Binary(kind="multiply"), h, self._gated(b, x), result="h")
        if self.dropout:
            h = b.add(Dropout(rate=self.dropout), h, result="h")
        return self._map(b, h, "down", out)

    def _gated(self, b: Builder, x: Value) -> Value:
        """What the gate multiplies."""
        up = self._map(b, x, "up", self.hidden)
        if self.clamp is not None:
            up = b.add(self.clamp.up, up, result="up")
            if self.clamp.offset is not None:
                up = b.add(WithNumber(kind="add", number=self.clamp.offset), up, result="up")
        return up

    def _map(self, b: Builder, x: Value, name: str, out: Axis) -> Value:
        """One of the maps, with its parameters under `name`."""
        return b.add(Linear(out=out, bias=self.bias), x, name=name)


def plan_feed_forward(cx: Context, fields: FeedForwardOptions) -> Branch:
    """Check and evaluate the fields of the sublayer; a MixtureOfExperts if `experts` is given.

    Raises SpecError E241 for a clamp without a gate, E244 for a number out of range, E341 for a size that is not fixed,
    and those of `plan_experts`.
    """
    plain = FeedForward(
        hidden=axis(fixed(cx, fields.hidden, "hidden")),
        activation=fields.activation,
        gated=fields.gated,
        bias=cx.defaults.bias if fields.bias is None else fields.bias,
        dropout=rate(cx, fields.dropout),
        clamp=None if fields.clamp is None else _clamp(cx, fields.clamp, fields.gated),
    )
    if fields.experts is None:
        return plain
    shared = fields.experts.shared
    # The shared expert has the fields of the others; only its width is its own.
    every = None if shared is None else replace(plain, hidden=axis(fixed(cx, shared.hidden, "hidden")))
    return plan_experts(cx, fields.experts, plain.experts, every)


def _clamp(cx: Context, fields: ClampFields, gated: bool) -> GateClamp:
    """The limits of a gated layer. Raises SpecError E241 for another layer, E244 for a limit that is not above 0."""
    if not gated:
        help = "write `gated: true`, or remove `clamp`"
        fail("E241", "`clamp` does not apply to a feed-forward layer that is not gated", fields.at, help=help)
    limit = positive(cx, fields.limit, "limit")
    # An offset of 0 leaves no trace.
    if fields.offset is None or cx.constant(fields.offset) == 0:
        return GateClamp(limit=limit)
    return GateClamp(limit=limit, offset=cx.number(fields.offset))
