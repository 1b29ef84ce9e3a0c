"""Causal attention of a step, with the keys and values that it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.op import Coefficients, Emitter, ParameterSpec, Primitive, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Copied, Partial, Placement, Shard, Sharding
from archspec.ir.signature import bind
from archspec.ir.source import call
from archspec.ir.types import Axis, DType, TensorType
from archspec.ops.elementwise.scaled import scale_type
from archspec.ops.position.rotary import HALF
from archspec.ops.state.to_integers import TO
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

# What has no room repeats the last entry that has: `scatter` leaves open which of two entries for one place stays, so
# both must be equal.
_HELPER = '''
def step_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    k_kept: Tensor,
    v_kept: Tensor,
    past: Tensor,
    scale: float,
    table: Tensor | None = None,
    scales: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Attend causally to kept keys and values [b, g, m, d], once the new ones are written after past [b] positions.

    q [b, n, h * d], k and v [b, n, g * d]; q and k are rotated by table [2, b, 1, n, d / 2] if there is one. With
    scales [g, 1, d] what is kept are int8, and the new ones are rounded. Returns [b, n, h * d], and what is kept then.
    """
    groups, size, features = k_kept.shape[1:]
    q = q.unflatten(2, (-1, features)).transpose(1, 2)
    k = k.unflatten(2, (groups, features)).transpose(1, 2)
    v = v.unflatten(2, (groups, features)).transpose(1, 2)
    if table is not None:
        q, k = rotate_half(q, table), rotate_half(k, table)
    if scales is not None:
        k, v = (to_integers(x, own) for x, own in zip((k, v), scales))
    room = (size - 1 - past[:, None]).clamp(min=0)
    new = torch.arange(k.shape[2], device=past.device)
    entries = new.minimum(room)
    places = (past[:, None] + entries).clamp(max=size - 1)
    mask = torch.arange(size, device=past.device) <= (past[:, None] + new)[..., None]
    places, entries = (x[:, None, :, None].expand_as(k) for x in (places, entries))
    k_kept = k_kept.scatter(2, places, k.gather(2, entries))
    v_kept = v_kept.scatter(2, places, v.gather(2, entries))
    keys, values = k_kept, v_kept
    if scales is not None:
        keys, values = (x * own for x, own in zip((k_kept, v_kept), scales))
    grouped = q.shape[1] != groups
    y = F.scaled_dot_product_attention(
        q, keys, values, attn_mask=mask[:, None], scale=scale, enable_gqa=grouped
    )
    return y.transpose(1, 2).flatten(2), k_kept, v_kept
'''


@record
class StepAttention(Primitive):
    """Keys and values written after those of past positions, and causal attention of the new positions to all of them.

    Operands: q [b n (h d)], k and v [b n (g d)], kept k and v [b g m d], past [b], and with `rotary` a table
    [2 b 1 n d/2] that rotates q and k in halves. Entry n of a row with p past positions is kept at p + n, if there is
    room. With `kept_integers` these are int8, as `to_integers` makes them with the buffers `k_scale` and `v_scale`
    [g 1 d]. Results: [b n (h d)] and both kept ones.
    It is what `rotary`, `write_positions` and `attention` say, as one op, for runtimes that have a kernel for it.
    """

    name = "step_attention"
    signature = "b n i, b n j, b n j, b g m d, b g m d, b -> b n i, b g m d, b g m d"
    reads_more = "it takes the place of other ops when nothing is proved any more"

    heads: Axis
    size: Axis
    scale: Scalar | None = None
    rotary: bool = False
    kept_integers: bool = False

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The scales of kept integers."""
        kept = inputs[3]
        own = ParameterSpec(type=scale_type(kept, (1, 3)), role="range")
        return {"k_scale": own, "v_scale": own} if self.kept_integers else {}

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The types of q, merged of its heads, and of what is kept. Raises ShapeError for sizes that do not fit."""
        if len(inputs) != 6 + self.rotary:
            raise ShapeError(f"needs {6 + self.rotary} operands, got {len(inputs)}")
        require(inputs[:3], FLOAT)
        if any(x.dtype is not (DType.INT8 if self.kept_integers else DType.FLOAT) for x in inputs[3:5]):
            raise ShapeError(f"cannot keep {inputs[3]} and {inputs[4]}", (3, 4))
        q, k, _, kept, values, *_ = inputs
        bind(self.signature, inputs[:6])
        if q.shape[2] != self.heads.size * self.size.size or k.shape[2] != kept.shape[1] * kept.shape[3]:
            raise ShapeError(f"{q} and {k} do not have the heads of {kept}", (0, 1, 3))
        return q.with_axes(*q.axes[:2], Axis((*self.heads.factors, *self.size.factors))), kept, values

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """Those of attention: the mask is not discounted."""
        q, kept = inputs[0], inputs[3]
        return 4 * q.elements() * kept.shape[2]

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows; without scales, which heads have of their own, also by heads, or in terms of the values."""
        whole = (Copied(),) * len(inputs[5:])
        rows = (*(Shard(0) for _ in inputs[:6]), *(Shard(1) for _ in inputs[6:]))
        if self.kept_integers:
            return (Sharding(operands=rows, results=(Shard(0),) * 3),)
        heads: tuple[Placement, ...] = (Shard(2), Shard(2), Shard(2), Shard(1), Shard(1))
        values: tuple[Placement, ...] = (Copied(), Copied(), Partial(), Copied(), Partial())
        return (
            Sharding(operands=heads + whole, results=(Shard(2), Shard(1), Shard(1))),
            Sharding(operands=rows, results=(Shard(0),) * 3),
            Sharding(operands=values + whole, results=(Partial(), Copied(), Partial())),
        )

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The weights tell how much of the values is read, whatever these are; those that are rounded tell for them."""
        everything, values = frozenset(range(len(inputs))), frozenset((2, 4))
        others = {number: values - {number} if self.kept_integers else values for number in values}
        return tuple(everything - others.get(number, frozenset()) for number in range(len(inputs)))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Row by row, head by head, position by position."""
        import numpy as np

        q, k, v, kept, values, past, *table = inputs
        kept, values, y = kept.copy(), values.copy(), np.zeros_like(q)
        groups, features = kept.shape[1], kept.shape[3]
        scale = features**-0.5 if self.scale is None else self.scale.evaluate(sizes)
        share = q.shape[2] // (groups * features)
        ones = np.ones((groups, 1, 1))
        of_keys, of_values = scales = [parameters.get(name, ones) for name in ("k_scale", "v_scale")]
        for row, start in enumerate(past):
            for n in range(q.shape[1]):
                turns = [pairs[row, 0, n] for pairs in table[0]] if table else []
                parts = [x[row, n].reshape(-1, features) for x in (q, k, v)]
                heads, keys, own = _turned(parts[0], turns), _turned(parts[1], turns), parts[2]
                if self.kept_integers:
                    keys, own = (_whole(x, scale) for x, scale in zip((keys, own), scales, strict=True))
                if start + n < kept.shape[2]:
                    kept[row, :, start + n], values[row, :, start + n] = keys, own
                for head, one in enumerate(heads):
                    group, seen = head // share, slice(0, start + n + 1)
                    scores = kept[row, group, seen] * of_keys[group] @ one * scale
                    # The largest is subtracted, so that no exponential overflows.
                    weights = np.exp(scores - scores.max())
                    found = weights / weights.sum() @ (values[row, group, seen] * of_values[group])
                    y[row, n, head * features : (head + 1) * features] = found
        return y, kept, values

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function, which a runtime may have a kernel for."""
        # For its effect: the helper below calls this one.
        e.helper(HALF)
        scale = Scalar.of(1) / Scalar.of(self.size.size).sqrt() if self.scale is None else self.scale
        more = list(inputs[6:])
        if self.kept_integers:
            e.helper(TO)
            table = inputs[6] if self.rotary else "None"
            more = [table, f"({parameters['k_scale']}, {parameters['v_scale']})"]
        made = e.assign("attended", call(e.helper(_HELPER), *inputs[:6], e.number(scale), *more))
        return (f"{made}[0]", f"{made}[1]", f"{made}[2]")


def _whole(x: Array, scale: Array) -> Array:
    """The integers of entries [g, d], with scales [g, 1, d]."""
    import numpy as np

    found: Array = np.clip(np.rint(x / scale[:, 0]), -128, 127)
    return found


def _turned(heads: Array, turns: Sequence[Array]) -> Array:
    """Heads [h, d] with feature i and i + d/2 rotated as a pair, by cosines and sines [d/2]."""
    import numpy as np

    if not turns:
        return heads
    first, second = np.split(heads, 2, axis=1)
    found: Array = np.concatenate((first * turns[0] - second * turns[1], second * turns[0] + first * turns[1]), axis=1)
    return found
