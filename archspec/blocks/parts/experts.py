"""The field `experts` of FEED_FORWARD: a mixture of experts, of which each token uses a few."""

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archspec.blocks.parts.context import Context
from archspec.blocks.parts.numbers import fixed, positive
from archspec.blocks.parts.residual import Branch
from archspec.blocks.parts.top import Top
from archspec.diagnostics import fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.types import axis
from archspec.ops.elementwise.binary import Binary
from archspec.ops.linear.linear import Linear
from archspec.ops.routing.experts import Experts
from archspec.ops.routing.routing import Groups, Routing
from archspec.record import record
from archspec.schema.model import MAYBE, Model
from archspec.schema.sorts import BoolField, ExprField, SizeField


class SharedExpertFields(Model):
    """An expert that every token passes, in addition to the chosen ones."""

    hidden: SizeField = Field(description="hidden features of the shared expert")


class ExpertGroupsFields(Model):
    """Groups of experts, all of one size; a group is ranked by the sum of its two best experts."""

    count: SizeField = Field(description="number of groups")
    top: SizeField = Field(description="number of best groups from which experts are chosen")


class ExpertsFields(Model):
    """A mixture of experts: a router picks, for each token, which feed-forward layers it passes."""

    count: SizeField = Field(description="number of experts")
    top_k: SizeField = Field(description="number of experts that a token passes")
    scores: Literal["softmax", "sigmoid"] = Field(description="function of the logits of the router")
    normalise: BoolField = Field(description="whether the scores of the chosen experts are normalised to sum to 1")
    shared: Annotated[SharedExpertFields | None, MAYBE] = Field(default=None, description="an expert for every token")
    scale: ExprField | None = Field(default=None, description="factor on the chosen scores; 1 when left out")
    selection_bias: BoolField = Field(
        default=False,
        description="a learned bias per expert for the choice, not the weights, in place of the router's",
    )
    groups: Annotated[ExpertGroupsFields | None, MAYBE] = Field(
        default=None, description="groups of experts; only the best groups are considered"
    )


@record
class MixtureOfExperts:
    """A mixture of experts whose sizes are known; every token also passes the `shared` expert, if there is one."""

    kind: ClassVar[str] = "MixtureOfExperts"

    count: int
    routing: Routing
    experts: Experts
    shared: Branch | None

    def prepared(self, top: Top) -> "MixtureOfExperts":
        """The same sublayer: its layers share nothing."""
        return self

    def call(self, b: Builder, name: str, x: Value) -> Value:
        """Add the sublayer as a module over x [batch, positions, features]; the result has the type of x.

        Parameters: `router`, `experts.{gate,up,down}`, and those of `shared`.
        """
        (y,) = b.call(name, self.kind, lambda h: self.body(b, h), {"x": x}, results=("",))
        return y

    def body(self, b: Builder, x: Value) -> Value:
        """The body of the module: route, run the experts, and add the shared one."""
        # `router.bias` is the bias that ranks, where there is one: the logits have no other.
        ranks = self.routing.selection_bias
        router = Linear(out=axis(self.count), bias=self.experts.bias and not ranks, layered=not ranks)
        logits = b.add(router, x, name="router")
        weights = b.add(self.routing, logits, name="router" if ranks else "", result="weights")
        y = self._experts(b, x, weights)
        return y if self.shared is None else b.add(Binary(kind="add"), y, self.shared.call(b, "shared", x))

    def _experts(self, b: Builder, x: Value, weights: Value) -> Value:
        """Add the experts: a module of their own, so that a rank may be given the weights of its experts alone."""
        results = ("" if self.shared is None else "y",)
        inputs = {"x": x, "weights": weights}
        (y,) = b.call("experts", "Experts", lambda *own: b.add(self.experts, *own), inputs, results=results)
        return y


def plan_experts(
    cx: Context, fields: ExpertsFields, make: Callable[[int], Experts], shared: Branch | None
) -> MixtureOfExperts:
    """Check and evaluate the numbers of a mixture; `make` gives its experts by how many of them a token passes.

    Raises SpecError E244 for numbers that do not fit each other.
    """
    count, top_k = fixed(cx, fields.count, "count"), fixed(cx, fields.top_k, "top_k")
    if top_k > count:
        fail("E244", f"`top_k` is {top_k}, but there are only {count} experts", fields.top_k.span)
    experts = make(top_k)
    scale = 1.0 if fields.scale is None else positive(cx, fields.scale, "scale")
    routing = Routing(
        top_k=top_k,
        scores=fields.scores,
        normalise=fields.normalise,
        scale=scale,
        selection_bias=fields.selection_bias,
        groups=None if fields.groups is None else _groups(cx, fields.groups, count, top_k),
    )
    return MixtureOfExperts(count=count, routing=routing, experts=experts, shared=shared)


def _groups(cx: Context, fields: ExpertGroupsFields, experts: int, top_k: int) -> Groups:
    """Check the numbers of the groups. Raises SpecError E244 if experts do not fill them or `top_k` exceeds them."""
    count, top = fixed(cx, fields.count, "groups.count"), fixed(cx, fields.top, "groups.top")
    # A group is ranked by the sum of its two best experts, as in DeepSeek-V3, so it must hold two.
    if experts % count or experts < 2 * count:
        message = f"{experts} experts cannot be split into {count} equal groups of at least 2"
        fail("E244", message, fields.count.span, help="choose a number of experts that is a multiple of `count`")
    if top > count:
        fail("E244", f"`groups.top` is {top}, but there are only {count} groups", fields.top.span)
    if top_k > top * (experts // count):
        message = f"`top_k` is {top_k}, and {top} groups hold {top * (experts // count)} experts"
        fail("E244", message, fields.top.span)
    return Groups(count=count, top=top)
