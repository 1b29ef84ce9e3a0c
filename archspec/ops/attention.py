"""Scaled dot-product attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.dim import Dim, compare
from archspec.ir.scalar import Scalar
from archspec.ir.types import TensorType
from archspec.masks.emit import Control, emit
from archspec.masks.empty_rows import may_leave_row_empty
from archspec.masks.entail import normal
from archspec.masks.evaluate import evaluate
from archspec.masks.mask import All, Causal, Given, Mask
from archspec.ops.base import Emitter, Primitive, Reads, ShapeError
from archspec.ops.coordinates import aligned, coordinates
from archspec.ops.mask_operands import MaskOperands
from archspec.ops.operands import FLOAT, require
from archspec.ops.signature import bind
from archspec.ops.source import call, literal, named, operand
from archspec.record import record
from archspec.relation.atoms import NOTHING, ZERO, Atom, Difference, Relation
from archspec.relation.meet import meet

if TYPE_CHECKING:
    from archspec.ops.base import Array


@record
class Attention(Primitive):
    """`softmax(softcap(scale * q k^T), over the keys that the mask allows) v`, per head; a row with no key gives zeros.

    Operands: q [b h s d], k [b g t d], v [b g t v], then the controls of the mask. Query head h reads key head
    `h // (heads / kv_heads)`. `scale` None is `1 / sqrt(d)`. With `weights` a second output holds the weights
    [b h s t], after softmax and before dropout.
    Source: Vaswani et al. 2017, arXiv 1706.03762, equation 1; grouped heads: Ainslie et al. 2023, arXiv 2305.13245.
    """

    name = "attention"
    signature = "b h s d, b g t d, b g t v -> b h s v"
    reads_more = (
        "a row with one key weighs it 1 whatever the scores are, a row with none is zero, a row that sees every key "
        "needs no prefix, and a mask made elsewhere is not tracked"
    )

    mask: Mask
    scale: Scalar | None = None
    dropout: float = 0.0
    softcap: Scalar | None = None
    weights: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Result and, where asked, weights. Raises ShapeError where heads, axes or controls do not fit."""
        if len(inputs) < 3:
            raise ShapeError("needs queries, keys and values")
        require(inputs[:3], FLOAT)
        bound = bind(self.signature, inputs)
        _group(inputs)
        self._operands(inputs).check(bound["b"], bound["s"], bound["t"])
        q = inputs[0]
        result = q.with_axes(*q.axes[:3], bound["v"])
        return (result, q.with_axes(*q.axes[:3], bound["t"])) if self.weights else (result,)

    def _operands(self, inputs: Sequence[TensorType]) -> MaskOperands:
        return MaskOperands(mask=self.mask, types=inputs[3:], first=3)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """`2 * b * h * s * t * (d + v)`: the mask is not discounted."""
        q, _, v = inputs[:3]
        return 2 * q.with_axes(*q.axes[:3], v.axes[2]).elements() * (q.shape[3] + v.shape[3])

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """q at the same position, k and v through the mask, controls through its structure.

        The weights read every key that their row may see: the sum of the softmax does.
        """
        q, k, v = inputs[:3]
        operands = self._operands(inputs)
        rows = []
        for out in outputs:
            keys, values = (
                meet(_same_head(out, read, _group(inputs)), operands.allowed(out, 2, read, 2)) for read in (k, v)
            )
            values = meet(values, aligned(out, v, [(3, 3)])) if out is outputs[0] else NOTHING
            read = [operands.reads(out, 2, control) for control in range(len(inputs) - 3)]
            rows.append((aligned(out, q, [(0, 0), (1, 1), (2, 2)]), keys, values, *read))
        return tuple(rows)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula; exponentials are taken of differences from the largest score of a row."""
        import numpy as np

        q, k, v = inputs[:3]
        allowed = evaluate(self.mask, q.shape[2], k.shape[2], inputs[3:], sizes)
        allowed = allowed[..., None, :, :] if allowed.ndim == 3 else allowed
        k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1) for x in (k, v))
        scores = q @ k.swapaxes(-1, -2)
        scores = scores * (q.shape[-1] ** -0.5 if self.scale is None else self.scale.evaluate(sizes))
        if self.softcap is not None:
            cap = self.softcap.evaluate(sizes)
            scores = cap * np.tanh(scores / cap)
        scores = np.where(allowed, scores, -np.inf)
        top = scores.max(-1, keepdims=True)
        weights = np.exp(scores - np.where(np.isfinite(top), top, 0))
        total = weights.sum(-1, keepdims=True)
        weights = weights / np.where(total == 0, 1, total)
        return (weights @ v, weights) if self.weights else (weights @ v,)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.scaled_dot_product_attention`; explicit products where weights or a softcap are wanted."""
        if self.weights or self.softcap is not None:
            return self._explicit(e, inputs)
        mask, keep = ("", "") if self._is_causal else self._masking(e, inputs)
        attended = call(
            "F.scaled_dot_product_attention",
            *inputs[:3],
            attn_mask=mask or None,
            dropout_p=f"{literal(self.dropout)} if {e.training} else 0.0" if self.dropout else None,
            is_causal="True" if self._is_causal else None,
            scale=None if self.scale is None else e.number(self.scale),
            enable_gqa="True" if _group(e.types) != 1 else None,
        )
        if keep:
            attended = f"torch.where({keep}, {e.assign('attended', attended)}, 0)"
        return (attended,)

    @property
    def _is_causal(self) -> bool:
        return isinstance(normal(self.mask), Causal)

    def _masking(self, e: Emitter, inputs: Sequence[str]) -> tuple[str, str]:
        """Names of the mask and of the rows to keep; empty where there is none."""
        mask, sources = normal(self.mask), inputs[3:]
        if isinstance(mask, All):
            return "", ""
        if isinstance(mask, Given):
            return sources[mask.control], "" if mask.keep is None else sources[mask.keep]
        operands = [
            Control(named(e, "control", source), type_.rank) for source, type_ in zip(sources, e.types[3:], strict=True)
        ]
        device = f"{operand(inputs[0])}.device"
        made = e.assign("mask", emit(mask, e, e.types[1].shape[2], device, operands))
        if not may_leave_row_empty(mask):
            return made, ""
        keep = e.assign("keep", f"{made}.any(-1, keepdim=True)")
        return e.assign("mask", f"{made} | ~{keep}"), keep

    def _explicit(self, e: Emitter, inputs: Sequence[str]) -> tuple[str, ...]:
        mask, keep = self._masking(e, inputs)
        q, k, v = (operand(source) for source in inputs[:3])
        group = _group(e.types)
        if group != 1:
            k, v = (f"{x}.repeat_interleave({group}, dim=1)" for x in (k, v))
        scale = Scalar.of(1) / Scalar.of(e.types[0].shape[3]).sqrt() if self.scale is None else self.scale
        scores = e.assign("scores", f"{q} @ {k}.transpose(-2, -1) * {operand(e.number(scale))}")
        if self.softcap is not None:
            cap = operand(e.number(self.softcap))
            scores = e.assign("scores", f"{cap} * torch.tanh({scores} / {cap})")
        if mask:
            scores = e.assign("scores", f'{scores}.masked_fill(~{mask}, float("-inf"))')
        weights = e.assign("weights", f"torch.softmax({scores}, dim=-1)")
        if keep:
            weights = e.assign("weights", f"torch.where({keep}, {weights}, 0)")
        dropped = weights
        if self.dropout:
            dropped = call("F.dropout", weights, literal(self.dropout), e.training)
        result = f"{dropped} @ {v}"
        return (result, weights) if self.weights else (result,)


def _group(inputs: Sequence[TensorType]) -> int:
    """How many query heads read one key head. Raises ShapeError where that is no whole number."""
    heads, kv_heads = inputs[0].shape[1], inputs[1].shape[1]
    group = Dim.of(1) if heads == kv_heads else heads // kv_heads
    if group.constant is None or compare(group * kv_heads, "==", heads) is not True:
        raise ShapeError(f"{heads} query heads cannot share {kv_heads} key heads evenly", (0, 1))
    return group.constant


def _same_head(out: TensorType, inp: TensorType, group: int) -> Relation:
    """The same batch, and the key head that a query head reads."""
    if group == 1:
        return aligned(out, inp, [(0, 0), (1, 1)])
    batch = aligned(out, inp, [(0, 0)])
    heads, kv_heads = coordinates(out)[1], coordinates(inp)[1]
    if len(heads) != 1 or len(kv_heads) != 1:
        return batch
    shared = Difference(out=heads[0], inp=kv_heads[0], b=group, lo=ZERO, hi=ZERO + group - 1)
    return meet(batch, Relation((Atom(differences=frozenset({shared})),)))
