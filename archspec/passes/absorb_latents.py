"""Latent attention on its latents: what expands them to heads is absorbed into queries and results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.rewriter import Rewriter, everywhere
from archspec.ir.types import axis
from archspec.ops.attention.attention import Attention
from archspec.ops.linear.learned import Learned
from archspec.ops.linear.linear import Linear
from archspec.ops.linear.matmul import Matmul
from archspec.ops.shape.broadcast_axis import BroadcastAxis
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.passes.base import Pass
from archspec.passes.prune import Prune
from archspec.record import record

_BY_HEAD = Transpose(order=(0, 2, 1, 3))


@record
class AbsorbLatents(Pass):
    """Heads whose keys and values are projected from one latent attend to the latent itself, as one key of all heads.

    Given:  `%kv = linear(%latent) {W}; %k = concat(slice(%kv), %r); %y = attention(concat(%q, %s), %k, slice(%kv))`
    Result: `%l = concat(%latent, %r); %1 = attention(concat(%q W_k, %s), %l, slice(%l)); %y = %1 W_v^T`

    `W_k` and `W_v` are the rows of W that make the keys and the values of a head: `q . (W_k latent)` is
    `(q W_k) . latent`, and the weighted sum of `W_v latent` is `W_v` times that of the latents. The scale stays.
    Heads stay as they are where W has a bias, and where their keys and values are no more numbers than the latents.
    `length` is the dim of the positions that a step adds to.
    Source: DeepSeek-V2 2024, arXiv 2405.04434, section 2.1.2.
    """

    name = "absorb-latents"

    length: Symbol

    def apply(self, graph: Graph) -> Graph:
        """Rewrite latent attention in every body."""
        absorbed = everywhere(graph, self._rewrite)
        return graph if absorbed is graph else Prune().apply(absorbed)

    def _rewrite(self, rewriter: Rewriter) -> None:
        for found in latent_heads(rewriter.graph):
            if not found.kept(self.length):
                found.absorb(rewriter)


@record(eq=False)
class LatentHeads:
    """An attention whose keys and values come from one latent.

    `up` is the map of the latent to `keys` features of each key and `values` of each value; `queries` are the parts of
    the queries for the former and for the features that all heads share, `shared` [b, 1, t, features].
    """

    attention: Node
    up: Node
    queries: tuple[Value, Value]
    shared: Value

    @property
    def heads(self) -> int:
        """The number of heads."""
        return _number(self.attention.inputs[1].type.shape[1])

    @property
    def keys(self) -> int:
        """The number of features of a key that are made from the latent."""
        return _number(self.queries[0].type.shape[3])

    @property
    def values(self) -> int:
        """The number of features of a value."""
        return _number(self.attention.inputs[2].type.shape[3])

    @property
    def latent(self) -> Value:
        """The latents [b, t, features]."""
        return self.up.inputs[0]

    def kept(self, length: Symbol) -> str:
        """Why heads are kept and not latents; empty where latents are kept.

        `length` is the dim of the positions that a step adds to.
        """
        if "bias" in self.up.parameters:
            return f"`{self.up.name}` has a bias"
        latent, shared = (_number(value.type.shape[-1]) for value in (self.latent, self.shared))
        grows = length in self.latent.type.shape[1].symbols()
        # What is made once is kept as it is read, keys and values apart.
        own = latent + shared if grows else 2 * latent + shared
        heads = self.heads * (self.keys + self.values) + shared * (1 if grows else self.heads)
        return "" if own < heads else f"latents would take {own} numbers per position, and heads take {heads}"

    def absorb(self, rewriter: Rewriter) -> None:
        """Put the attention to latents in the place of that to heads."""
        node, op = self.attention, self.attention.op
        assert isinstance(op, Attention)
        keys, values = self._weights(rewriter)
        query, latent = self._queries(rewriter, keys), self._latents(rewriter)
        size = self.latent.type.axes[2].size
        value = self._add(rewriter, Slice(axis=-1, start=Dim.of(0), stop=size), latent)
        # The default scale is that of the heads, whose keys have another size.
        width = Scalar.of(node.inputs[0].type.axes[3].size)
        scale = Scalar.of(1) / width.sqrt() if op.scale is None else op.scale
        inputs = (query, latent, value, *node.inputs[3:])
        made = replace(op, scale=scale)
        types = made.infer(*(one.type for one in inputs))
        outputs = tuple(Value(old.name, type_) for old, type_ in zip(node.outputs, types, strict=True))
        rewriter.insert(replace(node, op=made, inputs=inputs, outputs=outputs), before=node)
        y = self._add(rewriter, Matmul(transpose_right=True), outputs[0], values, name=node.outputs[0].name)
        rewriter.replace(node, (), (y, *outputs[1:]))

    def _weights(self, rewriter: Rewriter) -> tuple[Value, Value]:
        """The rows of the map that make keys and values, each [heads, features, features of the latent]."""
        weight = self.up.parameters["weight"]
        op = Learned(axes=weight.type.axes, static=(True, True), init=weight.init)
        made = Value("", op.infer()[0])
        # In front of the map, so that the map may read it if something else reads what the map makes.
        node = Node(
            op=op,
            inputs=(),
            outputs=(made,),
            parameters={"value": weight},
            owned=frozenset({"value"} if "weight" in self.up.owned else ()),
            scope=self.up.scope,
            span=self.up.span,
        )
        rewriter.insert(node, before=self.up)
        rewriter.change(self.up, owned=frozenset())
        split = Split(axis=0, sizes=(axis(self.heads), axis(self.keys + self.values)))
        rows, size = self._add(rewriter, split, made, name=self.up.name), Dim.of(self.keys)
        parts = (Slice(axis=1, start=Dim.of(0), stop=size), Slice(axis=1, start=size))
        keys, values = (self._add(rewriter, one, rows) for one in parts)
        return keys, values

    def _queries(self, rewriter: Rewriter, keys: Value) -> Value:
        """The queries of latents [b, h, s, features]."""
        own, shared = self.queries
        absorbed = self._add(rewriter, Matmul(), own, keys)
        return self._add(rewriter, Concat(axis=3), absorbed, shared, name="q")

    def _latents(self, rewriter: Rewriter) -> Value:
        """The one key of all heads [b, 1, t, features]."""
        split = Split(axis=2, sizes=(axis(1), axis(self.latent.type.axes[2].size)))
        latent = self._add(rewriter, _BY_HEAD, self._add(rewriter, split, self.latent))
        return self._add(rewriter, Concat(axis=3), latent, self.shared, name="latent")

    def _add(self, rewriter: Rewriter, op: Primitive, *inputs: Value, name: str = "") -> Value:
        """Add an op before the attention; returns its output."""
        made = Value(name, op.infer(*(one.type for one in inputs))[0])
        node = Node(op=op, inputs=inputs, outputs=(made,), scope=self.attention.scope, span=self.attention.span)
        rewriter.insert(node, before=self.attention)
        return made


def latent_heads(graph: Graph) -> Iterator[LatentHeads]:
    """Yield the attentions of a body whose keys and values come from one latent."""
    for node in graph.nodes:
        found = _found(node) if isinstance(node.op, Attention) else None
        if found is not None:
            yield found


def all_latent_heads(graph: Graph) -> Iterator[LatentHeads]:
    """Yield those of a graph and of all its regions."""
    yield from latent_heads(graph)
    for node in graph.nodes:
        for region in node.regions:
            yield from all_latent_heads(region)


def _found(node: Node) -> LatentHeads | None:
    queries, keys, values = (value.producer for value in node.inputs[:3])
    if queries is None or keys is None or values is None or {queries.op, keys.op} != {Concat(axis=3)}:
        return None
    own, repeated = (value.producer for value in keys.inputs) if len(keys.inputs) == 2 else (None, None)
    if own is None or repeated is None or len(queries.inputs) != 2 or not isinstance(repeated.op, BroadcastAxis):
        return None
    up = _up(own.inputs[0])
    size, total = (value.type.shape[3] for value in (queries.inputs[0], own.inputs[0]))
    first = Slice(axis=-1, start=Dim.of(0), stop=size)
    # Values are the features behind those of the keys.
    if (
        up is None
        or own.op != first
        or values.op != Slice(axis=-1, start=size)
        or own.inputs[0] is not values.inputs[0]
    ):
        return None
    if repeated.op.axis != 1 or total == size:
        return None
    return LatentHeads(attention=node, up=up, queries=(queries.inputs[0], queries.inputs[1]), shared=repeated.inputs[0])


def _up(heads: Value) -> Node | None:
    """The map that makes heads [b, h, t, d]; None where they are made otherwise."""
    swap = heads.producer
    split = swap.inputs[0].producer if swap is not None and swap.op == _BY_HEAD else None
    if split is None or not isinstance(split.op, Split) or split.op.axis != 2 or len(split.op.sizes) != 2:
        return None
    up = split.inputs[0].producer
    return up if up is not None and isinstance(up.op, Linear) else None


def _number(size: Dim) -> int:
    """A size that is known: features and heads of a map with weights."""
    found = size.constant
    assert found is not None
    return found
