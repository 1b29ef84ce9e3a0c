"""The field `latent` of ATTENTION: queries, keys and values projected from latents with few features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.blocks.parts.inner_positions import InnerPositions
from archspec.blocks.parts.numbers import fixed
from archspec.diagnostics import fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.types import Axis, axis
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.shape.broadcast_axis import BroadcastAxis
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.record import record

if TYPE_CHECKING:
    from archspec.blocks.parts.attention import AttentionOptions
    from archspec.blocks.parts.context import Context

_HEADS_FIRST = Transpose(order=(0, 2, 1, 3))


@record
class Latent:
    """Multi-head latent attention: the first features of a head come from latents, the last `rotary` are rotated.

    All heads share the rotated part of the key. If `query` is None, queries are projected from x directly. A bias of q
    is on `q_down` and `q_up`, a bias of k on `k_rotary`, and a bias of k or v on `kv_down` and `kv_up`.
    Source: DeepSeek-V2 2024, arXiv 2405.04434, equations 37 to 47.
    """

    heads: int
    size: int
    value_size: int
    query: int | None
    key_value: int
    rotary: int
    biases: frozenset[str]

    def project(self, b: Builder, x: Value, source: Value, positions: InnerPositions) -> tuple[Value, Value, Value]:
        """Queries from x, keys and values from `source`, each [batch, heads, positions, features].

        Both inputs are [batch, positions, features]; `positions` rotates the last `rotary` features.
        Parameters: `q`, or `q_down`, `q_norm` and `q_up`; `kv_down`, `kv_norm`, `kv_up`, `k_rotary`.
        """
        plain = self.size - self.rotary
        q = self._queries(b, x)
        latent = b.add(self._linear(axis(self.key_value), "k", "v"), source, name="kv_down")
        # DeepSeek normalises latents with RMSNorm, whatever the norm of the stack.
        latent = b.add(RMSNorm(), latent, name="kv_norm")
        # For each head the unrotated key comes first and the value after it, as DeepSeek's checkpoints store it.
        kv = self._heads(b, latent, "kv_up", plain + self.value_size, "k", "v")
        k = b.add(self._linear(axis(self.rotary), "k"), source, name="k_rotary")
        k = b.add(_HEADS_FIRST, b.add(Split(axis=2, sizes=(axis(1), axis(self.rotary))), k), result="k_rotary")
        q_turned, k_turned = positions.turned(b, b.add(_part(plain, None), q, result="q_rotary"), k)
        # All heads share the rotated key.
        k_turned = b.add(BroadcastAxis(axis=1, size=axis(self.heads)), k_turned)
        # The rotated features are the last of a head, again as in the checkpoints.
        q = b.add(Concat(axis=3), b.add(_part(0, plain), q), q_turned, result="q")
        k = b.add(Concat(axis=3), b.add(_part(0, plain), kv), k_turned, result="k")
        return q, k, b.add(_part(plain, None), kv, result="v")

    def _queries(self, b: Builder, x: Value) -> Value:
        """The queries, projected from their latent or directly from x."""
        if self.query is None:
            return self._heads(b, x, "q", self.size, "q")
        latent = b.add(self._linear(axis(self.query), "q"), x, name="q_down")
        return self._heads(b, b.add(RMSNorm(), latent, name="q_norm"), "q_up", self.size, "q")

    def _heads(self, b: Builder, x: Value, name: str, size: int, *biases: str) -> Value:
        """A projection split into heads: [batch, heads, positions, size]."""
        parts = (axis(self.heads), axis(size))
        y = b.add(self._linear(Axis(tuple(part.size for part in parts)), *biases), x, name=name)
        return b.add(_HEADS_FIRST, b.add(Split(axis=2, sizes=parts), y), result=name.removesuffix("_up"))

    def _linear(self, out: Axis, *biases: str) -> Linear:
        """A map with a bias if one of the projections `biases` has one."""
        return Linear(out=out, bias=not self.biases.isdisjoint(biases))


def _part(start: int, stop: int | None) -> Slice:
    """The op that takes features `start` up to `stop`; None is the end."""
    return Slice(axis=-1, start=Dim.of(start), stop=None if stop is None else Dim.of(stop))


def plan_latent(
    cx: Context, fields: AttentionOptions, heads: int, size: int, value_size: int, biases: frozenset[str]
) -> Latent | None:
    """Check the fields of latent attention; None if it is not used.

    Raises SpecError E241 for a field that does not apply, E242 without rotary positions, E340 if all features of a head
    would be rotated.
    """
    latent = fields.latent
    if latent is None:
        return None
    for field in ("kv_heads", "qk_norm"):
        if getattr(fields, field) is not None:
            fail("E241", f"`{field}` does not apply to `latent` attention", latent.at)
    if fields.positions is None or fields.positions.kind != "rotary":
        fail("E242", "`latent` needs rotary `positions`", latent.at)
    rotary = fixed(cx, latent.rotary, "rotary")
    if rotary >= size:
        fail("E340", f"`rotary: {rotary}` leaves no unrotated features: a head has {size}", latent.rotary.span)
    return Latent(
        heads=heads,
        size=size,
        value_size=value_size,
        query=None if latent.query is None else fixed(cx, latent.query, "query"),
        key_value=fixed(cx, latent.key_value, "key_value"),
        rotary=rotary,
        biases=biases,
    )
