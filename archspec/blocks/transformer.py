"""TRANSFORMER: repeated layers of attention and feed-forward sublayers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.blocks.parts.attend import Attend, plan_attention
from archspec.blocks.parts.attention import AttentionFields, CrossAttentionFields
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.feed_forward import FeedForwardFields, plan_feed_forward
from archspec.blocks.parts.norm import default_norm, norm_of, norm_op
from archspec.blocks.parts.norm_fields import NormField, NormSwitch
from archspec.blocks.parts.numbers import fixed, rate
from archspec.blocks.parts.pattern import PatternFields, schedule
from archspec.blocks.parts.residual import (
    NORM_FIRST,
    PARALLEL,
    Branch,
    Residual,
    ResidualFields,
    Sublayer,
    plan_residual,
)
from archspec.blocks.parts.sublayers import CrossKinds, CrossSublayers, Kinds, Sublayers, check_fields, lay_kinds
from archspec.blocks.parts.top import Top
from archspec.blocks.parts.values import sequence
from archspec.diagnostics import Diagnostic, Label, fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.repeat import Schedule
from archspec.masks.mask import Mask
from archspec.record import record
from archspec.schema.findings import key_span, kind_of, missing, word
from archspec.schema.model import MAYBE
from archspec.schema.reading import collect
from archspec.schema.sorts import BoolField, ExprField, SizeField, ValueField
from archspec.text.nodes import Node

Layer = tuple[Sublayer, ...]


class Stack(Block):
    """The base of all blocks of repeated layers.

    Parameters: `layers.N.SUBLAYER`, its norms and scales, `final_norm`.
    """

    shares = True
    makes_sequence = True
    kind: ClassVar[str]
    """The class name of the emitted module; that of its layers is this name followed by `Layer`."""
    sublayer_fields: ClassVar[tuple[str, ...]] = ("attention", "feed_forward")

    input: ValueField = Field(description="float[batch, positions, features]")
    layers: SizeField = Field(description="number of layers")
    share: BoolField = Field(default=False, description="whether all layers, or those of one kind, share weights")
    norm: NormField = Field(
        default=None, description="the norm of every sublayer; defaults.norm when left out, none for residual bare"
    )
    dropout: ExprField | None = Field(
        default=None, description="dropout rate of each branch before the sum; defaults.dropout when left out"
    )
    residual: ResidualFields = Field(description="how sublayers are combined with their input")
    final_norm: NormSwitch = Field(
        default=None, description="a norm after the last layer; required, except for residual post and bare"
    )
    attention: Annotated[AttentionFields | None, MAYBE] = Field(
        default=None, description="attention, or none; required, here or in every kind"
    )
    feed_forward: Annotated[FeedForwardFields | None, MAYBE] = Field(
        default=None, description="feed-forward, or none; required, here or in every kind"
    )
    kinds: Kinds | None = Field(
        default=None, description="kinds of layers by name: fields that are merged over attention and feed_forward"
    )
    pattern: PatternFields | None = Field(
        default=None, description="the kind of each layer: a list that is repeated and cut, or start, repeat, end"
    )

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        yield from check_fields(node, data)
        yield from lay_kinds(node, data, cls.sublayer_fields)
        residual = kind_of(data.get("residual"))
        # A post norm already ends every layer, and `bare` has no norms.
        if residual is not None and residual not in ("post", "bare"):
            yield from missing(node, data, "final_norm", "write `final_norm: true` or `final_norm: false`")
        yield from _check_norm(node, data, residual)

    def build(self, cx: Context) -> Built:
        """Build the layers as a module over x [batch, positions, features].

        Raises SpecError with the errors of all kinds of layers.
        """
        x = sequence(cx, self.input, f"`{self.block}`")
        count = fixed(cx, self.layers, "layers")
        cx.in_layers(count, self.layers.span)  # refuses too many layers before anything is made for each of them
        order, kinds = self._schedule(count)
        plan = self._plan(cx, x, order, kinds)
        (y,) = cx.module(self.kind, plan.body(cx.builder), {"x": x, **self._memory(cx)})
        return Built(main=y)

    def _schedule(self, count: int) -> tuple[Schedule, tuple[str, ...]]:
        """The order of layers, and the kinds that occur in it; one kind with an empty name if there are no kinds."""
        if self.kinds is None or self.pattern is None:
            return Schedule.uniform(count), ("",)
        return schedule(self.pattern, tuple(self.kinds), count)

    def _plan(self, cx: Context, x: Value, order: Schedule, kinds: tuple[str, ...]) -> "_Layers":
        """The checked layers of every kind, and how they are joined. Raises SpecError with the errors of all kinds."""
        inner = cx.in_layers(len(order), self.layers.span)
        norm = None
        # Asked for only where a norm is needed: a file with `bare` residuals may have no default.
        if self.residual.kind != "bare":
            fields = default_norm(cx, self.residual.at) if self.norm is None else None
            norm = norm_of(cx, self.norm) if fields is None else norm_op(cx, fields.kind, fields)
        sublayers = self.sublayers()
        layers = collect(lambda kind: self._layer(cx, inner, sublayers[kind], x), kinds)
        for name in ("attention", "cross_attention"):
            _check_tables([getattr(sublayers[kind], name, None) for kind in kinds], name, layers)
        return _Layers(
            classes=tuple(_camel(kind) + self.kind + "Layer" for kind in kinds),
            layers=tuple(tuple(layer) for layer in layers),
            schedule=order,
            shared=self.share,
            residual=plan_residual(cx, inner, self.residual, norm, rate(cx, self.dropout, cx.defaults.dropout)),
            final_norm=norm_of(cx, self.final_norm),
        )

    def sublayers(self) -> Mapping[str, Sublayers]:
        """The sublayers of each kind of layer; a single kind with an empty name if there are no kinds."""
        if self.kinds is not None:
            return self.kinds
        return {"": Sublayers.of(attention=self.attention, feed_forward=self.feed_forward)}

    def _layer(self, cx: Context, inner: Context, fields: Sublayers, x: Value) -> list[Sublayer]:
        """The sublayers of a layer. Raises SpecError with the errors of all of them."""

        def made(name: str) -> Sublayer:
            part: AttentionFields | FeedForwardFields = getattr(fields, name)
            self._check_pre_norm(part)
            return Sublayer(name=name, pre_norm=part.pre_norm, part=self._part(cx, inner, name, part, x))

        names = ("attention", "cross_attention", "feed_forward")
        return collect(made, [name for name in names if getattr(fields, name, None) is not None])

    def _part(
        self, cx: Context, inner: Context, name: str, part: AttentionFields | FeedForwardFields, x: Value
    ) -> Branch:
        """The checked computation of one sublayer. Only self-attention has a mask that a block may restrict."""
        if isinstance(part, FeedForwardFields):
            return plan_feed_forward(cx, part)
        memory = part.memory if isinstance(part, CrossAttentionFields) else None
        attend = plan_attention(cx, inner, part, x, memory)
        if name == "attention":
            self.check_mask(attend.mask, part)
        return attend

    def check_mask(self, mask: Mask, fields: AttentionFields) -> None:
        """Raise SpecError for a self-attention mask that the block does not allow; here every mask is allowed."""

    def _check_pre_norm(self, part: AttentionFields | FeedForwardFields) -> None:
        """Raise SpecError E241 for a norm switched off where the residual has none before sublayers."""
        if not part.pre_norm and self.residual.kind not in NORM_FIRST:
            fail(
                "E241",
                f"`pre_norm: false` does not apply to residual `{self.residual.kind}`",
                part.at,
                notes=("there is no norm before this sublayer",),
            )

    def _memory(self, cx: Context) -> dict[str, Value]:
        """The further arguments of the module; without cross-attention there are none."""
        return {}


class TransformerBlock(Stack):
    """Layers of attention, attention to another sequence, and feed-forward."""

    block: ClassVar[str] = "transformer"
    kind: ClassVar[str] = "Transformer"
    sublayer_fields: ClassVar[tuple[str, ...]] = ("attention", "cross_attention", "feed_forward")

    cross_attention: Annotated[CrossAttentionFields | None, MAYBE] = Field(
        default=None, description="attention to another sequence"
    )
    kinds: CrossKinds | None = Field(
        default=None, description="kinds of layers by name: fields that are merged over the sublayers"
    )

    def sublayers(self) -> Mapping[str, Sublayers]:
        """The sublayers of each kind of layer."""
        if self.kinds is not None:
            return self.kinds
        return {
            "": CrossSublayers.of(
                attention=self.attention, cross_attention=self.cross_attention, feed_forward=self.feed_forward
            )
        }

    def _layer(self, cx: Context, inner: Context, fields: Sublayers, x: Value) -> list[Sublayer]:
        cross = getattr(fields, "cross_attention", None)
        if cross is not None and self.residual.kind in PARALLEL:
            fail("E242", f"residual `{self.residual.kind}` does not support `cross_attention`", cross.at)
        return super()._layer(cx, inner, fields, x)

    def _memory(self, cx: Context) -> dict[str, Value]:
        """The other sequence as the argument `memory` of the module, if all kinds attend to the same one."""
        crosses = [getattr(fields, "cross_attention", None) for fields in self.sublayers().values()]
        memories = {str(cross.memory): cross.memory for cross in crosses if cross is not None}
        return {"memory": cx.value(next(iter(memories.values())))} if len(memories) == 1 else {}


@record
class _Layers:
    """The layers of a stack, one tuple of sublayers per kind, with the names of their classes and their order."""

    classes: tuple[str, ...]
    layers: tuple[Layer, ...]
    schedule: Schedule
    shared: bool
    residual: Residual
    final_norm: Op | None

    def body(self, b: Builder) -> Callable[..., Value]:
        """The body of the module, a function of x and of the sequence that it attends to."""

        def run(x: Value, *_: Value) -> Value:
            # Tables that all layers read are built once, before the loop over the layers.
            top = Top(b, x)
            layers = [tuple(sublayer.prepared(top) for sublayer in layer) for layer in self.layers]
            bodies = [self._layer(b, layer) for layer in layers]
            x = b.repeat("layers", self.classes, bodies, self.schedule, x, shared=self.shared)
            return x if self.final_norm is None else b.add(self.final_norm, x, name="final_norm")

        return run

    def _layer(self, b: Builder, layer: Layer) -> Callable[[Value], Value]:
        """The body of the layers of one kind, a function of x [batch, positions, features]."""
        return lambda x: self.residual.join(b, x, layer)


def _check_norm(node: Node, data: Mapping[str, Any], residual: str | None) -> Iterator[Diagnostic]:
    """Yield E242 if `norm` is off and the residual needs one, or is given and the residual has none."""
    if "norm" not in data or residual is None:
        return
    off = word(data["norm"]) == "none"
    if off != (residual == "bare"):
        message = f"residual `{residual}` {'needs a' if off else 'has no'} norm"
        yield Diagnostic(code="E242", message=message, primary=Label(key_span(node, "norm")))


def _check_tables(fields: Sequence[AttentionFields | None], name: str, layers: Sequence[Sequence[Sublayer]]) -> None:
    """Check that all kinds of layers that share a table of positions share the same one, over the same keys.

    Raises SpecError E242 if their tables differ: a stack has one table.
    """
    parts = [next((one.part for one in layer if one.name == name), None) for layer in layers]
    shared = [
        (part.positions.table, part.memory, one.positions)
        for part, one in zip(parts, fields, strict=True)
        if isinstance(part, Attend) and part.positions.table is not None and one is not None
    ]
    for table, memory, place in shared[1:]:
        if (table, memory) != shared[0][:2] and place is not None:
            first = shared[0][2]
            fail(
                "E242",
                "layer kinds share one table of positions, but their tables differ",
                place.at,
                secondary=() if first is None or first.at is None else (Label(first.at, "the other table"),),
                help="write `share: false` for a table in every layer",
            )


def _camel(kind: str) -> str:
    """The name of a kind in camel case, for the name of its class."""
    return "".join(part[:1].upper() + part[1:] for part in kind.replace("-", "_").split("_"))
