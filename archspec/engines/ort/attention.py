"""The cached attention of a step as operators of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec.engines.ort.angles import ROTATES, AllAngles

if TYPE_CHECKING:
    from torch import Tensor

HELPER = "step_attention"
"""The function of an emitted step that this takes the place of (see `ops.state.step_attention`)."""

GROUPED = "GroupQueryAttention"
"""The operator."""

_MULTIPLE, _ROTATED_MULTIPLE = 8, 16
"""The operator takes heads whose size is a multiple of the first, and rotates those with one of the second."""


class GroupedQueryAttention:
    """`step_attention` as `GroupQueryAttention`, which writes into the kept keys and values and reads no more of them
    than each row has.

    Where the angles of all positions are known (see `angles`), the operator rotates queries and keys itself; else
    `RotaryEmbedding` does, by the table of the step. What is made of the positions is the same in every layer, and is
    made once.
    """

    def __init__(self, plain: Callable[..., tuple[Tensor, Tensor, Tensor]], angles: AllAngles) -> None:
        """`plain` is the helper, for heads that the operator does not take."""
        self._plain, self._angles = plain, angles
        self.used = False
        self._made: dict[tuple[str, int], tuple[Tensor, Any]] = {}

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
        if features % _MULTIPLE:
            return self._plain(q, k, v, k_kept, v_kept, past, scale, table, scales)
        self.used = True
        options: dict[str, Any] = {"num_heads": q.shape[2] // features, "kv_num_heads": groups, "scale": float(scale)}
        turns: tuple[Tensor | None, ...] = (None,) * 3
        if table is not None:
            every = (
                None if features % _ROTATED_MULTIPLE else self._once("all angles", table, self._angles.of_all_positions)
            )
            if every is not None:
                turns, options[ROTATES] = every, 1
            else:
                angles = self._once("angles", table, _angles)
                q, k = _rotated(q, features, angles), _rotated(k, features, angles)
        lengths = self._once("lengths", past, lambda one: _lengths(one, q.shape[1]))
        operands: tuple[Tensor | None, ...] = (q, k, v, k_kept, v_kept, *lengths)
        if ROTATES in options or scales is not None:
            operands += turns
        if scales is not None:
            # Biases and sinks stand between.
            operands += (None, None, *scales)
            options |= {"k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL", "kv_cache_bit_width": 8}
        y, keys, values = symbolic_multi_out(
            f"com.microsoft::{GROUPED}",
            operands,
            options,
            dtypes=(q.dtype, k_kept.dtype, v_kept.dtype),
            shapes=(q.shape, k_kept.shape, v_kept.shape),
            version=1,
        )
        return y, keys, values

    def _once(self, what: str, given: Tensor, make: Callable[[Tensor], Any]) -> Any:
        """What `make` gives for a tensor, made the first time; `what` names it."""
        # The tensor is held, so that its number stays its own.
        if (what, id(given)) not in self._made:
            self._made[what, id(given)] = given, make(given)
        return self._made[what, id(given)][1]


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
