"""Build attention: projections, heads, scores, and the projection back to the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from archspec.algebra.dim import compare
from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.attention import PROJECTIONS, AttentionOptions, CrossAttentionFields
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.inner_positions import HeadSizes, InnerPositions, plan_inner_positions
from archspec.blocks.parts.latent import Latent, plan_latent
from archspec.blocks.parts.norm import norm_of
from archspec.blocks.parts.numbers import cap, features, fixed, rate
from archspec.blocks.parts.top import Top
from archspec.blocks.parts.values import floats, sequence
from archspec.blocks.parts.windows import Windows, plan_windows
from archspec.diagnostics import Label, Span, fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.types import Axis, axis
from archspec.masks.mask import Mask
from archspec.ops.attention.attention import Attention
from archspec.ops.elementwise.binary import Binary
from archspec.ops.linear.linear import Linear
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.record import record
from archspec.text.value import ValueExpr


@record
class Heads:
    """Numbers of query and key/value heads, and features of a head and of its values; all known before run time."""

    query: int
    key_value: int
    size: int
    value_size: int


@record
class Attend:
    """An attention sublayer whose sizes, mask and operands are known.

    `controls` are the values that the mask reads. `scale` None is 1/sqrt(size of a head). `biases` are the projections
    with a bias. `norms` are the ops of `q_norm` and `k_norm`, per head or `over_all` heads; `memory` is the other
    sequence of cross-attention; `span` is where the mask is written; `cut` are the windows that x is cut into; `out` is
    the features of the result, None for those of x.
    """

    heads: Heads
    mask: Mask
    controls: tuple[Value, ...]
    scale: Scalar | None
    softcap: Scalar | None
    dropout: float
    biases: frozenset[str]
    norms: Mapping[str, Op]
    over_all: bool = False
    memory: Value | None = None
    memory_norm: Op | None = None
    positions: InnerPositions = InnerPositions()
    add_to_scores: Value | None = None
    multiply_scores: Value | None = None
    sink: Literal["learned", "zero"] | None = None
    latent: Latent | None = None
    cut: Windows | None = None
    span: Span | None = None
    out: Axis | None = None

    def prepared(self, top: Top) -> Attend:
        """The same sublayer with the positions that all layers share, built at the top of the stack."""
        return replace(self, positions=self.positions.prepared(top, self.memory))

    def call(self, b: Builder, name: str, x: Value) -> Value:
        """Add the sublayer as a module over x [batch, positions, features]; the result has the type of x.

        Parameters: `q`, `k`, `v`, `out`, `q_norm`, `k_norm` and `memory_norm`, those of positions and of latents.
        """
        inputs = {"x": x} if self.memory is None else {"x": x, "memory": self.memory}
        body = lambda x, memory=None: self.body(b, x, memory)  # noqa: E731
        (y,) = b.call(name, self.kind, body, inputs, results=("",))
        return y

    @property
    def kind(self) -> str:
        """The name of the class of the module."""
        return "Attention" if self.memory is None else "CrossAttention"

    def body(self, b: Builder, x: Value, memory: Value | None = None) -> Value:
        """The body of the module: cut windows out, attend, and put them together."""
        if self.cut is None:
            return self._attended(b, x, memory)
        return self.cut.joined(b, self._attended(b, self.cut.cut(b, x, result="x"), None), x)

    def _attended(self, b: Builder, x: Value, memory: Value | None) -> Value:
        """Project, attend, merge the heads and project back."""
        if memory is not None and self.memory_norm is not None:
            memory = b.add(self.memory_norm, memory, name="memory_norm", result="memory")
        source = x if memory is None else memory
        heads = self.heads
        if self.latent is not None:
            q, k, v = self.latent.project(b, x, source, self.positions)
        else:
            query, key = self.positions.inputs(b, x, source)
            q = self._project(b, query, "q", heads.query, heads.size)
            k = self._project(b, key, "k", heads.key_value, heads.size)
            v = self._project(b, source, "v", heads.key_value, heads.value_size)
            q, k = self.positions.turned(b, q, k)
        y = b.add(Transpose(order=(0, 2, 1, 3)), self._attend(b, q, k, v))
        linear = Linear(out=self.out or x.type.axes[-1], bias="out" in self.biases)
        return b.add(linear, b.add(Merge(axis=2), y), name="out")

    def _project(self, b: Builder, x: Value, name: str, heads: int, size: int) -> Value:
        """Project x and split the result into heads: [batch, heads, positions, size]; with the norm of `name`."""
        parts = (axis(heads), axis(size))
        # The axis keeps heads and size as its factors, which lets relations survive the split.
        out = Axis(tuple(part.size for part in parts))
        y = b.add(Linear(out=out, bias=name in self.biases), x, name=name)
        norm = self.norms.get(name)
        # A norm over all heads comes before the split, and a norm per head after it.
        if norm is not None and self.over_all:
            y = b.add(norm, y, name=f"{name}_norm")
        y = b.add(Split(axis=2, sizes=parts), y)
        if norm is not None and not self.over_all:
            y = b.add(norm, y, name=f"{name}_norm")
        return b.add(Transpose(order=(0, 2, 1, 3)), y, result=name)

    def _attend(self, b: Builder, q: Value, k: Value, v: Value) -> Value:
        """Add the attention op on q, k, v [batch, heads, positions, size]; expose its weights if a path names them."""
        # Weights that nothing names are not computed: fused kernels do not return them.
        wanted = b.wants("weights")
        bias = self._bias(b, q, k)
        more = [value for value in (self.multiply_scores, bias) if value is not None]
        op = Attention(
            mask=self.mask,
            scale=self.scale,
            dropout=self.dropout,
            softcap=self.softcap,
            weights=wanted,
            factor=self.multiply_scores is not None,
            bias=bias is not None,
            sink=self.sink,
        )
        with b.settings(span=self.span):
            y, *weights = b.add_all(op, q, k, v, *more, *self.controls, results=("y", "weights")[: 1 + wanted])
        b.offer("weights", y)
        for value in weights:
            b.expose("weights", value)
        return y

    def _bias(self, b: Builder, q: Value, k: Value) -> Value | None:
        """The sum of what positions add to the scores and of `add_to_scores`; None if there is neither."""
        made = self.positions.scores(b, q, k)
        if made is None or self.add_to_scores is None:
            return made or self.add_to_scores
        return b.add(Binary(kind="add"), made, self.add_to_scores, result="bias")


def plan_attention(
    cx: Context, inner: Context, fields: AttentionOptions, x: Value, expr: ValueExpr | None = None
) -> Attend:
    """Check the fields of an attention over `x` [batch, positions, features] and evaluate their numbers.

    `inner` is the context inside the layers, in which numbers may use `layer`; `expr` names the other sequence, to
    which cross-attention attends.

    Raises SpecError at the field that does not fit: E340 for heads that do not divide, E347 for a memory of another
    batch, E401 to E404 for the mask, and those of positions and latents.
    """
    memory = None if expr is None else _memory(cx, expr, x)
    mask, controls = cx.mask(fields.mask, x, x if memory is None else memory)
    windows = _windows(cx, fields, x, memory, mask)
    if windows is not None:
        mask, controls = windows.masked(cx.builder, x, mask, controls)
    heads = _heads(cx, fields, x)
    biases = _biases(cx, fields)
    latent = plan_latent(cx, fields, heads.query, heads.size, heads.value_size, biases)
    # In latent attention only the last features of a head rotate.
    turned = heads.size if latent is None else latent.rotary
    qk_norm = None if fields.qk_norm is None else norm_of(cx, fields.qk_norm.norm)
    return Attend(
        heads=heads,
        mask=mask,
        controls=controls,
        scale=_scale(inner, fields, heads),
        softcap=None if fields.softcap is None else cap(inner, fields.softcap),
        dropout=rate(cx, fields.dropout),
        biases=biases,
        # One op for both: it holds no parameters, and `q_norm` and `k_norm` are nodes with weights of their own.
        norms={} if qk_norm is None else {"q": qk_norm, "k": qk_norm},
        over_all=fields.qk_norm is not None and fields.qk_norm.over == "all",
        memory=memory,
        memory_norm=norm_of(cx, fields.memory_norm) if isinstance(fields, CrossAttentionFields) else None,
        positions=plan_inner_positions(cx, fields.positions, HeadSizes(heads.query, turned), x, memory, windows),
        latent=latent,
        add_to_scores=_on_scores(cx, fields.add_to_scores, "add_to_scores"),
        multiply_scores=_on_scores(cx, fields.multiply_scores, "multiply_scores"),
        sink=fields.sink,
        cut=windows if windows is not None and not (windows.uncut or windows.is_one) else None,
        span=fields.mask.span,
    )


def _windows(cx: Context, fields: AttentionOptions, x: Value, memory: Value | None, mask: Mask) -> Windows | None:
    """The windows of `x`, which are cut out where nothing is asked of pairs of positions of the whole grid."""
    if fields.windows is None:
        return None
    windows = plan_windows(cx, fields.windows, x, memory)
    positions, scores = fields.positions, (fields.add_to_scores, fields.multiply_scores)
    # Other kinds number the whole sequence, and a window that is cut out would count from its own start.
    local = positions is None or positions.kind == "relative_grid"
    # A table that layers share is that of windows in all of them, or that of the grid.
    shared = positions is not None and bool(positions.share)
    # A value on the scores, and weights that a path names, have the axes of the whole grid.
    cut = local and not any(scores) and windows.can_cut(mask, shared=shared) and not cx.builder.asks("weights")
    return replace(windows, uncut=not cut)


def _on_scores(cx: Context, expr: ValueExpr | None, field: str) -> Value | None:
    """The float value of a field that acts on the scores; None if the field is not given. Raises SpecError E342."""
    return None if expr is None else floats(cx, expr, f"`{field}`")


def _memory(cx: Context, expr: ValueExpr, x: Value) -> Value:
    """The other sequence of cross-attention. Raises SpecError E342, E347 or E341 if it does not fit."""
    memory = sequence(cx, expr, "`memory`")
    if compare(memory.type.shape[0], "==", x.type.shape[0]) is not True:
        fail("E347", f"`memory` is {memory.type} and the input is {x.type}: their batch axes differ", expr.span)
    features(memory, expr.span)
    return memory


def _heads(cx: Context, fields: AttentionOptions, x: Value) -> Heads:
    """The numbers and sizes of heads. Raises SpecError E340 if they do not divide, E341 if they are not fixed."""
    width = features(x, fields.at)
    query = fixed(cx, fields.heads, "heads")
    key_value = query if fields.kv_heads is None else fixed(cx, fields.kv_heads, "kv_heads")
    if fields.kv_heads is not None and query % key_value:
        fail(
            "E340",
            f"`kv_heads: {key_value}` does not divide `heads: {query}`",
            fields.kv_heads.span,
            secondary=(Label(fields.heads.span, f"{query} heads"),),
            help="every key/value head must serve the same number of query heads",
        )
    if fields.head_dim is None and width % query:
        fail(
            "E340",
            f"`heads: {query}` does not divide {width}",
            fields.heads.span,
            help=f"choose a number that divides the {width} features, or give `head_dim`",
        )
    size = width // query if fields.head_dim is None else fixed(cx, fields.head_dim, "head_dim")
    value_size = size if fields.value_dim is None else fixed(cx, fields.value_dim, "value_dim")
    return Heads(query=query, key_value=key_value, size=size, value_size=value_size)


def _scale(cx: Context, fields: AttentionOptions, heads: Heads) -> Scalar | None:
    """The factor on the scores; None for 1/sqrt(size), which kernels apply by default."""
    scale = None if fields.scale is None else cx.number(fields.scale)
    # Torch-TensorRT rounds an explicit `scale` to the dtype of the queries, so the default is left to the kernel.
    return None if scale == Scalar.of(1) / Scalar.of(heads.size).sqrt() else scale


def _biases(cx: Context, fields: AttentionOptions) -> frozenset[str]:
    """The projections with a bias: those given, otherwise all or none by the default of the file."""
    if fields.bias is None:
        return frozenset(PROJECTIONS if cx.defaults.bias else ())
    return fields.bias
