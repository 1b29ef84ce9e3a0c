"""Choice of the experts of each token, and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import compare
from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import literal, named, operand
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


# `topk` breaks ties in an unspecified order, so it only gives the least rank that is chosen.
_BEST = '''
def best(ranks: Tensor, count: int) -> Tensor:
    """Mark the `count` highest ranks of the last axis; among equal ranks, the first."""
    least = ranks.topk(count, dim=-1).values[..., -1:]
    above, equal = ranks > least, ranks == least
    left = count - above.sum(-1, keepdim=True)
    return above | equal & (equal.cumsum(-1) <= left)
'''
# Where a sigmoid rounds to 0, the logarithm of the result would be infinite.
_LOG_SIGMOID = '''
def log_sigmoid(x: Tensor) -> Tensor:
    """Logarithm of the sigmoid, finite wherever x is."""
    return x.clamp(max=0) - torch.log1p(torch.exp(-x.abs()))
'''


@record
class Groups:
    """Experts are split into `count` equal groups; only experts of the best `top` groups can be chosen."""

    count: int
    top: int


@record
class Routing(Primitive):
    """The scores of the `top_k` best experts of each token, and zero for all others: [... e] to [... e].

    `scores` is the function of the router's logits: softmax over all experts, or sigmoid of each. Experts are ranked
    by their logits, so that saturated scores cause no ties; with `selection_bias` or `groups`, by score plus bias,
    in float32 or higher. Among equal ranks, the lower index is chosen. With `groups`, experts are chosen only from the
    best groups; a group is ranked by the sum of the scores (plus bias) of its two best experts. With `normalise`, the
    chosen scores sum to 1, even if all of them round to 0; `scale` then multiplies them. No token is dropped.

    Parameters: `bias` [e] with `selection_bias`; it affects the choice, not the weights.
    Source: Shazeer et al. 2017, arXiv 1701.06538; Jiang et al. 2024 (Mixtral), arXiv 2401.04088; DeepSeek-AI 2024
    (DeepSeek-V3), arXiv 2412.19437, section 2.1.2.
    """

    name = "routing"
    signature = "... e -> ... e"
    anywhere = True
    acts = "nonlinear"

    reads_more = "scores of experts that are not chosen only affect the choice"

    top_k: int
    scores: Literal["softmax", "sigmoid"]
    normalise: bool
    scale: float = 1.0
    selection_bias: bool = False
    groups: Groups | None = None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand. Raises ShapeError if there are fewer experts than a token uses."""
        require(inputs, FLOAT)
        if inputs[0].rank < 1 or compare(inputs[0].shape[-1], ">=", self.top_k) is not True:
            raise ShapeError(f"cannot choose {self.top_k} experts from {inputs[0]}", (0,))
        if self.groups is not None:
            self._check_groups(inputs[0].shape[-1].constant or 0, self.groups)
        return (inputs[0],)

    def _check_groups(self, experts: int, groups: Groups) -> None:
        """Raise ShapeError unless the experts fill the groups and the best groups hold at least `top_k` experts."""
        size, rest = divmod(experts, groups.count)
        # A group is ranked by its two best experts (DeepSeek-V3, arXiv 2412.19437).
        if rest or size < 2:
            raise ShapeError(f"{experts} experts cannot be split into {groups.count} equal groups of at least 2")
        if groups.top > groups.count:
            raise ShapeError(f"cannot choose {groups.top} groups from {groups.count}")
        if self.top_k > groups.top * size:
            raise ShapeError(f"cannot choose {self.top_k} experts from {groups.top * size} in {groups.top} groups")

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The selection bias."""
        x = inputs[0]
        bias = ParameterSpec(type=x.with_axes(x.shape[-1]), role="bias", chooses=True)
        return {"bias": bias} if self.selection_bias else {}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same token, all experts."""
        return ((identity(count(inputs[0].axes[:-1])),),)

    @property
    def _ranks_scores(self) -> bool:
        """Whether experts are ranked by scores instead of logits."""
        return self.selection_bias or self.groups is not None

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By tokens."""
        return tuple(along([same(*range(inputs[0].rank - 1))]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; what moves along the last axis is read as a whole."""
        return (together(operands, [same(*range(inputs[0].rank - 1))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula, computed with logarithms of the scores."""
        import numpy as np

        x = inputs[0]
        logs = np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))
        if self.scores == "softmax":
            # The largest is subtracted, so that no exponential overflows.
            shifted = x - x.max(-1, keepdims=True)
            logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        ranks = np.exp(logs) + parameters.get("bias", 0) if self._ranks_scores else x
        chosen = _best(self._within_groups(ranks), self.top_k)
        # Normalised in logarithms: scores that all round to 0 still have a ratio.
        if self.normalise:
            logs = logs - np.where(chosen, logs, -np.inf).max(-1, keepdims=True)
        weights = np.where(chosen, np.exp(logs), 0)
        return (self.scale * (weights / weights.sum(-1, keepdims=True) if self.normalise else weights),)

    def _within_groups(self, ranks: Array) -> Array:
        """The ranks, with minus infinity outside the best groups."""
        import numpy as np

        if self.groups is None:
            return ranks
        grouped = ranks.reshape(*ranks.shape[:-1], self.groups.count, -1)
        kept = _best(np.sort(grouped, -1)[..., -2:].sum(-1), self.groups.top)
        return np.where(kept[..., None], grouped, -np.inf).reshape(ranks.shape)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Marks the best experts and normalises by a softmax over their logarithms, which never divides by 0."""
        logits = named(e, "logits", inputs[0])
        scores = "" if self.normalise and not self._ranks_scores else self._emit_scores(e, logits)
        chosen = f"{e.helper(_BEST)}({self._emit_ranks(e, logits, scores, parameters)}, {self.top_k})"
        if self.normalise:
            logs = logits if self.scores == "softmax" else f"{e.helper(_LOG_SIGMOID)}({logits})"
            chosen = e.assign("chosen", chosen)
            weights = f'{logs}.masked_fill(~{chosen}, float("-inf")).softmax(-1)'
        else:
            weights = f"{scores} * {chosen}"
            # Ranks need float32 or more, but the weights return to the dtype of the model.
            weights = f"({weights}).to({logits}.dtype)" if self._ranks_scores else weights
        return (weights if self.scale == 1 else f"{literal(self.scale)} * {weights}",)

    def _emit_scores(self, e: Emitter, logits: str) -> str:
        """The name of the scores of all experts."""
        # Half precision would round a small bias away.
        wide = f"{logits}.to(torch.promote_types({logits}.dtype, torch.float32))" if self._ranks_scores else logits
        dim = ", dim=-1" if self.scores == "softmax" else ""
        return e.assign("scores", f"torch.{self.scores}({wide}{dim})")

    def _emit_ranks(self, e: Emitter, logits: str, scores: str, parameters: Mapping[str, str]) -> str:
        """The source of the ranks, with minus infinity outside the best groups."""
        if not self._ranks_scores:
            return logits
        ranks = f"{scores} + {parameters['bias']}" if self.selection_bias else scores
        if self.groups is None:
            return ranks
        grouped = e.assign("grouped", f"{operand(ranks)}.unflatten(-1, ({self.groups.count}, -1))")
        kept = f"{e.helper(_BEST)}({grouped}.topk(2, dim=-1).values.sum(-1), {self.groups.top})"
        kept = e.assign("kept", kept)
        return f'{grouped}.masked_fill(~{kept}[..., None], float("-inf")).flatten(-2)'


def _best(ranks: Array, count: int) -> Array:
    """Which elements of the last axis are the highest, found by counting better ones; ties go to the first."""
    import numpy as np

    order = np.arange(ranks.shape[-1])
    one, other = ranks[..., :, None], ranks[..., None, :]
    better = (other > one) | ((other == one) & (order[None, :] < order[:, None]))
    chosen: Array = better.sum(-1) < count
    return chosen
