"""Attention with linear biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.op import Emitter, ParameterSpec
from archspec.ir.source import call
from archspec.ir.types import TensorType, axis
from archspec.ops.attention.score_bias import ScoreBias
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

_SLOPES = '''
def alibi_slopes(x: Tensor, heads: int) -> Tensor:
    """Slopes from powers of two down to 2^-8; other numbers of heads add slopes between them."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    near = 1 << (heads.bit_length() - 1)
    slopes = [2 ** (-8 * number / near) for number in range(1, near + 1)]
    between = [2 ** (-4 * number / near) for number in range(1, 2 * near, 2)]
    return torch.tensor(slopes + between[: heads - near], device=x.device, dtype=dtype)
'''
_BIAS = '''
def alibi(queries: Tensor, keys: Tensor, slopes: Tensor) -> Tensor:
    """Biases [1, h, s, t] that fall with the distance of queries [..., s, d] and keys [..., t, e]."""
    rows = torch.arange(queries.shape[-2], device=queries.device)[:, None]
    columns = torch.arange(keys.shape[-2], device=queries.device)
    return (-slopes[:, None, None] * (rows - columns).abs())[None].to(queries.dtype)
'''
_PLACED = '''
def placed_alibi(x: Tensor, queries: Tensor, keys: Tensor, slopes: Tensor) -> Tensor:
    """Biases [b, h, s, t] that fall with the distance of positions [b, s] and [b, t] or [t]."""
    distances = (queries[:, :, None] - keys[..., None, :]).abs()
    return (-slopes[:, None, None] * distances[:, None]).to(x.dtype)
'''


@record
class Alibi(ScoreBias):
    """`-slope_h * |i - j|` for query i and key j of head h.

    The slopes are powers of two, `2^(-8 h / heads)` for h = 1 ... heads. If `heads` is not a power of two, they are
    the slopes for the next lower power of two, followed by every second slope for the next higher one. With `learned`,
    the slopes are a parameter.

    Parameters: `table` [heads], if slopes are learned.
    Source: Press et al. 2021, arXiv 2108.12409; its reference implementation for other numbers of heads.
    """

    name = "alibi"
    acts = "nonlinear"
    _heads_axis = 0

    learned: bool = False

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The slopes, if they are learned; they start at zero, as biases do."""
        return {"table": ParameterSpec(type=inputs[0].with_axes(axis(self.heads)), role="bias")} if self.learned else {}

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        slopes = parameters["table"] if self.learned else np.array(_slopes(self.heads))
        distances = np.abs(self.distances(inputs))
        return (-slopes[None, :, None, None] * (distances[:, None] if self.ids else distances),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function that computes it in the forward pass, so that no buffer is stored."""
        slopes = parameters.get("table") or call(e.helper(_SLOPES), inputs[0], str(self.heads))
        return (call(e.helper(_PLACED if self.ids else _BIAS), *inputs, slopes),)


def _slopes(heads: int) -> list[float]:
    """The slopes of the heads, by the recursion of the reference implementation."""
    if heads & (heads - 1) == 0:
        return [2 ** (-8 * number / heads) for number in range(1, heads + 1)]
    near = 2 ** (heads.bit_length() - 1)
    return _slopes(near) + _slopes(2 * near)[::2][: heads - near]
