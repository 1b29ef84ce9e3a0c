"""The cached attention of a step as operators of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

HELPER = "step_attention"
"""The function of an emitted step that this takes the place of (see `ops.state.step_attention`)."""

MULTIPLE = 8
"""The operator takes heads whose size is a multiple of this."""


class GroupedQueryAttention:
    """`step_attention` as `GroupQueryAttention`, which writes into the kept keys and values and reads no more of them
    than each row has; a table rotates by `RotaryEmbedding`.

    What is made of the positions is the same in every layer, and is made once.
    """

    def __init__(self, plain: Callable[..., tuple[Tensor, Tensor, Tensor]]) -> None:
        """`plain` is the helper, for heads that the operator does not take."""
        self._plain = plain
        self.used = False
        self._made: dict[int, tuple[Tensor, Any]] = {}

    def __call__(
        self,
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
        """Return [b, n, h * d] and what is kept; the arguments are those of the helper."""
        from torch.onnx.ops import symbolic_multi_out

        _, groups, _, features = k_kept.shape
        if features % MULTIPLE:
            return self._plain(q, k, v, k_kept, v_kept, past, scale, table, scales)
        self.used = True
        if table is not None:
            angles = self._once(table, _angles)
            q, k = _rotated(q, features, angles), _rotated(k, features, angles)
        lengths = self._once(past, lambda one: _lengths(one, q.shape[1]))
        options: dict[str, Any] = {"num_heads": q.shape[2] // features, "kv_num_heads": groups, "scale": float(scale)}
        operands: tuple[Tensor | None, ...] = (q, k, v, k_kept, v_kept, *lengths)
        if scales is not None:
            # Tables, positions, biases and sinks stand between.
            operands += (None,) * 5 + scales
            options |= {"k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL", "kv_cache_bit_width": 8}
        y, keys, values = symbolic_multi_out(
            "com.microsoft::GroupQueryAttention",
            operands,
            options,
            dtypes=(q.dtype, k_kept.dtype, v_kept.dtype),
            shapes=(q.shape, k_kept.shape, v_kept.shape),
            version=1,
        )
        return y, keys, values

    def _once(self, given: Tensor, make: Callable[[Tensor], Any]) -> Any:
        """What `make` gives for a tensor, made the first time."""
        # The tensor is held, so that its number stays its own.
        held, made = self._made.get(id(given), (None, None))
        if held is None:
            made = make(given)
            self._made[id(given)] = given, made
        return made


def _lengths(past: Tensor, new: int) -> tuple[Tensor, Tensor]:
    """The last position of each row [b], and the most positions of one: what the operator is told, int32."""
    import torch

    ends = past + new
    return (ends - 1).to(torch.int32), ends.amax(0).to(torch.int32)


def _angles(table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where each position [b, n] stands in the tables of cosines and of sines [b * n, d / 2]."""
    import torch

    cosines, sines = (one.flatten(0, 2) for one in table.unbind())
    rows, new = table.shape[1], table.shape[3]
    return torch.arange(rows * new).view(rows, new), cosines, sines


def _rotated(x: Tensor, features: int, angles: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Heads [b, n, h * d] whose features i and i + d/2 are rotated as a pair."""
    from torch.onnx.ops import symbolic

    found: Tensor = symbolic(
        "com.microsoft::RotaryEmbedding",
        (x, *angles),
        {"num_heads": x.shape[2] // features, "interleaved": 0},
        dtype=x.dtype,
        shape=x.shape,
        version=1,
    )
    return found
