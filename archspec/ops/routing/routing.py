"""Which experts a token passes, and with which weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import compare
from archspec.ir.coordinates import count
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.source import literal, operand
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Routing(Primitive):
    """The scores of the `top_k` best experts of each token, zero for all others: [... e] to [... e].

    `scores` is the function of the router's numbers: softmax over all experts, or sigmoid of each. With `normalise`
    the chosen ones are made to sum to 1; `scale` then multiplies them. No token is dropped.
    Source: Shazeer et al. 2017, arXiv 1701.06538; Jiang et al. 2024 (Mixtral), arXiv 2401.04088.
    """

    name = "routing"
    signature = "... e -> ... e"

    reads_more = "scores that are not chosen are compared alone"

    top_k: int
    scores: Literal["softmax", "sigmoid"]
    normalise: bool
    scale: float = 1.0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand. Raises ShapeError where there are fewer experts than a token passes."""
        require(inputs, FLOAT)
        if inputs[0].rank < 1 or compare(inputs[0].shape[-1], ">=", self.top_k) is not True:
            raise ShapeError(f"{self.top_k} experts are to be chosen of {inputs[0]}", (0,))
        return (inputs[0],)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same token, all experts."""
        return ((identity(count(inputs[0].axes[:-1])),),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula; experts are ranked by counting the better ones."""
        import numpy as np

        x = inputs[0]
        scores = 1 / (1 + np.exp(-x))
        if self.scores == "softmax":
            powers = np.exp(x - x.max(-1, keepdims=True))
            scores = powers / powers.sum(-1, keepdims=True)
        better = (x[..., None, :] > x[..., :, None]).sum(-1)
        chosen = np.where(better < self.top_k, scores, 0)
        return (self.scale * (chosen / chosen.sum(-1, keepdims=True) if self.normalise else chosen),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`topk`, and the chosen scores put back in their places."""
        dim = ", dim=-1" if self.scores == "softmax" else ""
        scores = e.assign("scores", f"torch.{self.scores}({inputs[0]}{dim})")
        best = e.assign("best", f"{scores}.topk({self.top_k}, dim=-1)")
        values = f"{best}.values"
        if self.normalise:
            values = f"{values} / {best}.values.sum(-1, keepdim=True)"
        if self.scale != 1:
            values = f"{literal(self.scale)} * {operand(values) if self.normalise else values}"
        return (f"torch.zeros_like({scores}).scatter(-1, {best}.indices, {values})",)
