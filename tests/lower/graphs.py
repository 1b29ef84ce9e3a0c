"""Graphs built by hand, for the passes and the emitted code."""

from __future__ import annotations

from collections.abc import Callable

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.ir.builder import Builder
from archspec.ir.graph import Graph, Value
from archspec.ir.repeat import Schedule
from archspec.ir.types import Axis, DType, TensorType, axis
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.mask import Mask
from archspec.ops.attention.attention import Attention
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.dropout import Dropout
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.embedding import Embedding
from archspec.ops.linear.learned import Learned
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.position.sinusoidal import SinusoidalPositions
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose

BATCH = Symbol("batch", 1, 2, 8)
SRC = Symbol("src", 1, 5, 64)
TGT = Symbol("tgt", 1, 4, 64)


def heads_of(b: Builder, x: Value, name: str, heads: int, size: int) -> Value:
    """A projection split into heads: [b h s d]."""
    out = Axis((Dim.of(heads), Dim.of(size)))
    x = b.add(Linear(out=out), x, name=name)
    x = b.add(Split(axis=2, sizes=(axis(heads), axis(size))), x)
    return b.add(Transpose(order=(0, 2, 1, 3)), x, result=name)


def attention(
    b: Builder,
    name: str,
    x: Value,
    mask: Mask,
    controls: tuple[Value, ...] = (),
    memory: Value | None = None,
    heads: int = 2,
) -> Value:
    """A whole attention module."""
    width = x.type.shape[-1].constant
    assert width is not None

    def body(x: Value, memory: Value | None = None) -> Value:
        q = heads_of(b, x, "q", heads, width // heads)
        k = heads_of(b, memory or x, "k", heads, width // heads)
        v = heads_of(b, memory or x, "v", heads, width // heads)
        y = b.add(Attention(mask=mask), q, k, v, *controls)
        y = b.add(Transpose(order=(0, 2, 1, 3)), y)
        y = b.add(Merge(axis=2), y)
        return b.add(Linear(out=axis(width)), y, name="out")

    inputs = {"x": x} if memory is None else {"x": x, "memory": memory}
    return b.call(name, "Attention", body, inputs, results=("",))[0]


def feed_forward(b: Builder, x: Value, hidden: int) -> Value:
    """down(relu(up(x)))."""

    def body(x: Value) -> Value:
        h = b.add(Linear(out=axis(hidden)), x, name="up")
        h = b.add(Activation(kind="relu"), h)
        return b.add(Linear(out=axis(x.type.shape[-1])), h, name="down")

    return b.call("feed_forward", "FeedForward", body, {"x": x}, results=("",))[0]


def residual(b: Builder, x: Value, branch: Value, name: str, rate: float = 0.1) -> Value:
    """norm(x + dropout(branch))."""
    y = b.add(Binary(kind="add"), x, b.add(Dropout(rate=rate), branch))
    return b.add(LayerNorm(), y, name=f"{name}_norm", result="x")


def embed(b: Builder, name: str, ids: Value, vocab: int, width: int, module: str = "") -> Value:
    """Table rows times sqrt(width), plus sinusoids."""

    def body(ids: Value) -> Value:
        x = b.add(Embedding(rows=Dim.of(vocab), features=axis(width)), ids)
        x = b.add(WithNumber(kind="multiply", number=Scalar.of(width).sqrt()), x, result="x")
        p = b.add(SinusoidalPositions(), x)
        return b.add(Dropout(rate=0.1), b.add(Binary(kind="add"), x, p))

    return b.call(name, "TokenEmbedding", body, {"ids": ids}, module=module)[0]


def encoder_decoder(layers: int = 6, width: int = 16, hidden: int = 32, vocab: int = 37) -> Graph:
    """The Transformer with tied embeddings."""
    b = Builder("transformer")
    src_ids = b.input("src_ids", TensorType.of(DType.INT64, BATCH, SRC, bound=Dim.of(vocab)))
    src_valid = b.input("src_valid", TensorType.of(DType.BOOL, BATCH, SRC))
    tgt_ids = b.input("tgt_ids", TensorType.of(DType.INT64, BATCH, TGT, bound=Dim.of(vocab)))
    source = embed(b, "source", src_ids, vocab, width)

    def encoder_layer(x: Value) -> Value:
        x = residual(b, x, attention(b, "attention", x, KeyValid(0), (src_valid,)), "attention")
        return residual(b, x, feed_forward(b, x, hidden), "feed_forward")

    def encoder(x: Value) -> Value:
        return b.repeat("layers", ("EncoderLayer",), (encoder_layer,), Schedule.uniform(layers), x)

    (memory,) = b.call("memory", "Encoder", encoder, {"x": source})
    with b.reuse():
        target = embed(b, "target", tgt_ids, vocab, width, module="source")

    def decoder_layer(x: Value) -> Value:
        x = residual(b, x, attention(b, "attention", x, Causal()), "attention")
        cross = attention(b, "cross_attention", x, KeyValid(0), (src_valid,), memory)
        x = residual(b, x, cross, "cross_attention")
        return residual(b, x, feed_forward(b, x, hidden), "feed_forward")

    def decoder(x: Value) -> Value:
        return b.repeat("layers", ("DecoderLayer",), (decoder_layer,), Schedule.uniform(layers), x)

    (states,) = b.call("states", "Decoder", decoder, {"x": target})
    table = b.parameter("source.table")
    assert table is not None
    logits = b.add(Linear(out=axis(vocab), bias=False), states, name="logits", result="logits", tie={"weight": table})
    return b.finish({"logits": logits})


def start(width: int = 8) -> tuple[Builder, Value]:
    """A graph with one input `x` [batch, src, width]."""
    b = Builder("made")
    return b, b.input("x", TensorType.of(DType.FLOAT, BATCH, SRC, width))


def decoder_with_pattern(layers: int = 5) -> Graph:
    """Local and global layers in turn, after one global layer."""
    b, x = start()

    def layer(mask: Mask) -> Callable[[Value], Value]:
        def body(x: Value) -> Value:
            y = b.add(Binary(kind="add"), x, attention(b, "attention", x, mask), result="x")
            return b.add(Binary(kind="add"), y, feed_forward(b, y, 12), result="x")

        return body

    schedule = Schedule(start=(1,), repeat=(0, 1), times=(layers - 1) // 2, end=(0,) * ((layers - 1) % 2))
    kinds = ("LocalLayer", "GlobalLayer")
    bodies = (layer(Last(Dim.of(2))), layer(Causal()))
    y = b.call("states", "Decoder", lambda x: b.repeat("layers", kinds, bodies, schedule, x), {"x": x})[0]
    return b.finish({"states": y})


def kinds_of_other_shape() -> Graph:
    """Layers with and without attention to a memory, whose weights are shared by kind."""
    b, x = start()
    memory = b.input("memory", TensorType.of(DType.FLOAT, BATCH, TGT, 8))
    valid = b.input("valid", TensorType.of(DType.BOOL, BATCH, TGT))

    def plain(x: Value) -> Value:
        return b.add(Binary(kind="add"), x, attention(b, "attention", x, Causal()), result="x")

    def crossing(x: Value) -> Value:
        y = attention(b, "cross_attention", x, KeyValid(0), (valid,), memory)
        return b.add(Binary(kind="add"), x, y, result="x")

    schedule = Schedule(repeat=(0, 0, 1), times=2)
    y = b.repeat("layers", ("PlainLayer", "CrossLayer"), (plain, crossing), schedule, x, shared=True)
    return b.finish({"y": y})


def chain() -> Graph:
    """Parts of a chain: `head.0.weight`, `head.2.weight`, and one that holds a bare parameter, `scales.1.value`."""
    b, x = start()
    y = b.add(Linear(out=axis(6)), x, name="head.0", result="head_0")
    y = b.add(Activation(kind="relu"), y, name="head.1", result="head_1")
    y = b.add(Linear(out=axis(4), bias=False), y, name="head.2", result="head")
    learned = b.add(Learned(axes=(axis(4),), static=(True,)), y, name="scales.1")
    return b.finish({"y": b.add(Binary(kind="multiply"), y, learned)})


def numbered_layers(shared: bool) -> Graph:
    """Layers that divide by the number of the layer, plus one, in a module of their own."""
    b, x = start()
    number = Scalar.of(1) / (Scalar.of(Symbol("layer", 0, 1, 3)) + 1)

    def body(x: Value) -> Value:
        y = b.add(Linear(out=axis(8)), x, name="map")
        return b.add(WithNumber(kind="multiply", number=number), y)

    def layer(x: Value) -> Value:
        return b.add(Binary(kind="add"), x, b.call("inner", "Inner", body, {"x": x})[0], result="x")

    return b.finish({"y": b.repeat("layers", ("Layer",), (layer,), Schedule.uniform(4), x, shared=shared)})


def tied_inside() -> Graph:
    """A table of the top that every layer multiplies with, at the end of two modules."""
    b, x = start()
    table = b.add(Linear(out=axis(8), bias=False), x, name="source", result="source")
    weight = b.parameter("source.weight")
    assert weight is not None

    def inner(x: Value) -> Value:
        return b.add(Linear(out=axis(8)), x, name="map", tie={"weight": weight})

    def layer(x: Value) -> Value:
        return b.call("inner", "Inner", inner, {"x": x})[0]

    return b.finish({"y": b.repeat("layers", ("Layer",), (layer,), Schedule.uniform(3), table)})


def exposed(wanted: frozenset[str]) -> Graph:
    """Layers of which some inner values are wanted outside."""
    b = Builder("made", wanted)
    x = b.input("x", TensorType.of(DType.FLOAT, BATCH, SRC, 8))

    def layer(x: Value) -> Value:
        h = b.add(Linear(out=axis(6)), x, name="up", result="h")
        b.expose("h", h)
        return b.add(Linear(out=axis(8)), h, name="down", result="x")

    y = b.repeat("layers", ("Layer",), (layer,), Schedule.uniform(4), x)
    return b.finish({"y": y, **{path: b.exposed[path] for path in sorted(wanted)}})


def sizes_from_outside() -> Graph:
    """A body that splits an axis into two dims, of which it only sees the product; the input has one more row."""
    rows, columns = Symbol("rows", 1, 2, 8), Symbol("columns", 1, 3, 8)
    b = Builder("made")
    image = b.input("image", TensorType.of(DType.FLOAT, BATCH, Dim.of(rows) * 2 + 1, columns, 4))

    def body(x: Value) -> Value:
        x = b.add(Linear(out=axis(4)), x, name="map", result="x")
        return b.add(Split(axis=1, sizes=(axis(rows), axis(columns))), x)

    flat = b.add(Merge(axis=1), b.add(Slice(axis=1, start=Dim.of(0), stop=Dim.of(rows)), image))
    return b.finish({"y": b.call("inner", "Inner", body, {"x": flat})[0]})


def frozen() -> Graph:
    """One module that does not train, and the same kind of module that does, and a frozen layer."""
    b, x = start()

    def body(x: Value) -> Value:
        y = b.add(Linear(out=axis(8)), x, name="map")
        scale = b.add(Learned(axes=(axis(8),), static=(True,)), y, rename={"value": "scale"})
        return b.add(Binary(kind="multiply"), y, scale)

    with b.settings(trainable=False):
        (x,) = b.call("still", "Part", body, {"x": x})
    (x,) = b.call("moving", "Part", body, {"x": x})
    with b.settings(trainable=False):
        x = b.add(Linear(out=axis(8)), x, name="last")
    return b.finish({"y": x})


GRAPHS: dict[str, Callable[[], Graph]] = {
    "encoder_decoder": lambda: encoder_decoder(layers=2),
    "decoder_with_pattern": decoder_with_pattern,
    "kinds_of_other_shape": kinds_of_other_shape,
    "chain": chain,
    "numbered_layers": lambda: numbered_layers(shared=False),
    "numbered_shared_layers": lambda: numbered_layers(shared=True),
    "tied_inside": tied_inside,
    "exposed_states": lambda: exposed(frozenset({"layers.1", "layers.3.h", "layers.0.h"})),
    "sizes_from_outside": sizes_from_outside,
    "frozen": frozen,
}
SIZES = {"batch": 3, "src": 5, "tgt": 4, "rows": 2, "columns": 3}
