"""Graphs built by hand, for the passes and the emitted code."""

from __future__ import annotations

from collections.abc import Callable

from archspec.ir.dim import Dim, Symbol
from archspec.ir.graph import Graph, Value
from archspec.ir.scalar import Scalar
from archspec.ir.types import Axis, DType, TensorType, axis
from archspec.masks.mask import Causal, KeyValid, Mask
from archspec.ops.activation import Activation
from archspec.ops.attention import Attention
from archspec.ops.binary import Binary
from archspec.ops.builder import Builder
from archspec.ops.dropout import Dropout
from archspec.ops.embedding import Embedding
from archspec.ops.layer_norm import LayerNorm
from archspec.ops.linear import Linear
from archspec.ops.merge import Merge
from archspec.ops.repeat import Schedule
from archspec.ops.sinusoidal import SinusoidalPositions
from archspec.ops.split import Split
from archspec.ops.transpose import Transpose
from archspec.ops.with_number import WithNumber

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
    return b.call(name, "Attention", body, inputs)[0]


def feed_forward(b: Builder, x: Value, hidden: int) -> Value:
    """down(relu(up(x)))."""

    def body(x: Value) -> Value:
        h = b.add(Linear(out=axis(hidden)), x, name="up")
        h = b.add(Activation(kind="relu"), h)
        return b.add(Linear(out=axis(x.type.shape[-1])), h, name="down")

    return b.call("feed_forward", "FeedForward", body, {"x": x})[0]


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
    logits = b.add(
        Linear(out=axis(vocab), bias=False), states, name="logits", result="logits", tie={"weight": table}
    )
    return b.finish({"logits": logits})


Graphs = dict[str, Callable[[], Graph]]
