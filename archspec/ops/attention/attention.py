"""Scaled dot-product attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import Dim, compare
from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import aligned, broadcast_axes
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import Pairs, together
from archspec.ir.op import (
    Coefficients,
    Emitter,
    OwnEntries,
    ParameterSpec,
    Placement,
    PositionsOf,
    Primitive,
    Reads,
    ShapeError,
)
from archspec.ir.operands import FLOAT, broadcast, require
from archspec.ir.placement import Sharding
from archspec.ir.signature import bind
from archspec.ir.source import call, literal, named, operand
from archspec.ir.types import TensorType, axis
from archspec.masks.at_positions import AtPositions, parted, read_twice, takes_positions
from archspec.masks.emit import emit
from archspec.masks.empty_rows import may_leave_row_empty
from archspec.masks.entail import normal
from archspec.masks.evaluate import evaluate
from archspec.masks.given import Given
from archspec.masks.grid_windows import GridWindows
from archspec.masks.mask import Mask
from archspec.masks.source import Control
from archspec.masks.walk import leaves
from archspec.ops.attention.attended import Attended, control, score
from archspec.ops.attention.attention_parts import AttentionParts
from archspec.ops.attention.mask_operands import MaskOperands
from archspec.record import record
from archspec.relation.atoms import NOTHING, ZERO, Atom, Difference, Relation
from archspec.relation.meet import meet

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Attention(Primitive):
    """`softmax(softcap(scale * q k^T), over the keys that the mask allows) v`, per head; a row with no key gives zeros.

    Operands: q [b h s d], k [b g t d], v [b g t v]; with `factor`, a tensor that multiplies the capped scores; with
    `bias`, a tensor that is then added to them, both broadcast to [b h s t]; then the controls of the mask. Query
    head h reads key head `h // (heads / kv_heads)`. `scale` defaults to `1 / sqrt(d)`. `sink` adds a score to every
    softmax that belongs to no key: `learned` (one per head) or `zero`. With `weights`, a second output holds the
    attention weights [b h s t], after softmax and before dropout.

    Parameters: `sink` [h], if it is learned.
    Source: Vaswani et al. 2017, arXiv 1706.03762, equation 1; grouped heads: Ainslie et al. 2023, arXiv 2305.13245;
    sink: Xiao et al. 2023, arXiv 2309.17453; `zero` as in Miller 2023, `learned` as in gpt-oss.
    """

    name = "attention"
    signature = "b h s d, b g t d, b g t v -> b h s v"
    reads_more = (
        "the weight of a row's only key is 1 for all scores, a row without keys is zero, a row that sees every key "
        "does not depend on a prefix, neither a precomputed mask nor given positions are tracked, and where windows "
        "begin is not"
    )

    mask: Mask
    scale: Scalar | None = None
    dropout: float = 0.0
    softcap: Scalar | None = None
    weights: bool = False
    factor: bool = False
    bias: bool = False
    sink: Literal["learned", "zero"] | None = None

    @property
    def first(self) -> int:
        """The number of the operand that is control 0 of the mask."""
        return 3 + self.factor + self.bias

    @property
    def is_explicit(self) -> bool:
        """Whether the scores are computed explicitly because no kernel supports the options."""
        # PyTorch's kernel returns no weights, and takes neither a cap, nor a factor, nor a sink.
        return self.weights or self.softcap is not None or self.factor or self.sink is not None

    @property
    def draws(self) -> bool:
        """With dropout of the weights."""
        return self.dropout > 0

    def inner(self) -> Mapping[str, Primitive]:
        """The `weights`."""
        return {} if self.weights else {"weights": replace(self, weights=True)}

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The result [b h s v] and, with `weights`, the weights [b h s t].

        Raises ShapeError if heads, axes or controls do not fit.
        """
        if len(inputs) < self.first:
            raise ShapeError(
                "needs queries, keys and values, and optionally values that multiply the scores or are added to them"
            )
        require(inputs[: self.first], FLOAT)
        bound = bind(self.signature, inputs[:3])
        _group(inputs)
        for number, found in enumerate(inputs[3 : self.first], 3):
            _fits_scores(number, found, inputs[0].with_axes(*inputs[0].axes[:3], bound["t"]))
        self._operands(inputs).check(bound["b"], bound["s"], bound["t"])
        q = inputs[0]
        result = q.with_axes(*q.axes[:3], bound["v"])
        return (result, q.with_axes(*q.axes[:3], bound["t"])) if self.weights else (result,)

    def _operands(self, inputs: Sequence[TensorType]) -> MaskOperands:
        """The operands of the mask, with their types."""
        return MaskOperands(mask=self.mask, types=inputs[self.first :], first=self.first)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The sink [h], if it is learned."""
        if self.sink != "learned":
            return {}
        return {"sink": ParameterSpec(type=inputs[0].with_axes(axis(inputs[0].shape[1])), role="bias")}

    def placed(self, count: int) -> Placement | None:
        """The mask over given positions of queries and keys, where it takes any."""
        own = tuple(range(count))
        twice = read_twice(self.mask)
        if not takes_positions(self.mask) and not twice:
            return Placement(op=self, operands=own)
        # Positions are two more controls behind those of the mask, then what is read of controls at the queries alone.
        controls = count - self.first
        mask = parted(self.mask, {control: controls + number for number, control in enumerate(twice, 2)})
        mask = AtPositions(mask, queries=controls, keys=controls + 1)
        queries = (OwnEntries(self.first + control) for control in twice)
        return Placement(op=replace(self, mask=mask), operands=(*own, PositionsOf(0, 2), PositionsOf(1, 2), *queries))

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """`2 * b * h * s * t * (d + v)`: the mask is not discounted."""
        q, _, v = inputs[:3]
        return 2 * q.with_axes(*q.axes[:3], v.axes[2]).elements() * (q.shape[3] + v.shape[3])

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """q at the same position, k and v where the mask allows it, controls through the structure of the mask.

        The weights read every key that their row may see: the sum of the softmax does.
        """
        q, k, v = inputs[:3]
        operands = self._operands(inputs)
        rows = []
        # The weights depend on all keys of the row, but not on the values.
        for out in outputs:
            keys, values = (
                meet(_same_head(out, read, _group(inputs)), operands.allowed(out, 2, read, 2)) for read in (k, v)
            )
            values = meet(values, aligned(out, v, [(3, 3)])) if out is outputs[0] else NOTHING
            more = [_row(out, found, operands, k) for found in inputs[3 : self.first]]
            read = [operands.reads(out, 2, control) for control in range(len(inputs) - self.first)]
            rows.append((aligned(out, q, [(0, 0), (1, 1), (2, 2)]), keys, values, *more, *read))
        return tuple(rows)

    @property
    def is_sum(self) -> bool:
        """Whether the result is a sum over the keys, of which each has its own weight whatever the others are."""
        return False

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By heads, rows, features of the values, or queries where the mask allows it; in terms of the values."""
        parts = AttentionParts(
            types=inputs,
            controls=self._operands(inputs),
            numbers=(self.scale, self.softcap),
            weights=self.weights,
            sums=self.is_sum,
            sink=self.sink == "learned",
        )
        return tuple(parts.ways())

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """By rows, or by positions: as the mask and what changes the scores depend on those of queries and keys."""
        query, key, value = operands[:3]
        if any(isinstance(one, Moves) and one.axis == 0 for one in operands[:3]):
            # A control of one axis may be over rows or over positions.
            if any(type_.rank == 1 for type_ in inputs[self.first :]):
                return super().moved(operands, inputs, outputs)
            return tuple(together(operands, [self._rows(*one) for one in enumerate(inputs)]) for _ in outputs)
        scores = [score(*one) for one in zip(operands[3 : self.first], inputs[3 : self.first], strict=True)]
        controls = [control(*one) for one in zip(operands[self.first :], inputs[self.first :], strict=True)]
        attended = Attended(mask=self.mask, query=query, key=key, value=value, scores=scores, controls=controls)
        found = attended.motion()
        # The keys of the weights move as well, along another axis.
        return (found, *(lost("gives weights of queries and keys that move") for _ in outputs[1:]))

    def _rows(self, number: int, type_: TensorType) -> Pairs:
        """The axis of the rows of the batch, where an operand has one."""
        has = type_.rank == 4 or (number >= self.first and type_.rank > 1)
        return {0: 0} if has and type_.shape[0] != 1 else {}

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """Every operand but the values, which a row reads wherever its mask, if it is known, lets it see."""
        # Of windows the relation has their sides, and where they begin only as data.
        windows = any(isinstance(leaf, GridWindows) for leaf in leaves(self.mask))
        known = not isinstance(self.mask, Given | AtPositions) and not windows
        return {number: why for number, why in super().loose(inputs).items() if not (known and number == 2)}

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The weights are the coefficients of the values; the scores are not affine in anything."""
        everything = frozenset(range(len(inputs)))
        return tuple(everything - {2} if number == 2 else everything for number in range(len(inputs)))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        q, k, v, *more = inputs[: self.first]
        allowed = evaluate(self.mask, q.shape[2], k.shape[2], inputs[self.first :], sizes)
        # The mask of a batch is [b s t]: it has no axis for the heads.
        allowed = allowed[..., None, :, :] if allowed.ndim == 3 else allowed
        # Query head h reads key head h // group, so each key head stands for adjacent query heads.
        k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1) for x in (k, v))
        scores = q @ k.swapaxes(-1, -2)
        scores = scores * (q.shape[-1] ** -0.5 if self.scale is None else self.scale.evaluate(sizes))
        if self.softcap is not None:
            cap = self.softcap.evaluate(sizes)
            scores = cap * np.tanh(scores / cap)
        scores = scores * more[0] if self.factor else scores
        scores = scores + more[-1] if self.bias else scores
        weights = self._weights(scores, allowed, parameters)
        return (weights @ v, weights) if self.weights else (weights @ v,)

    def _weights(self, scores: Array, allowed: Array, parameters: Mapping[str, Array]) -> Array:
        """Softmax; the largest score of each row is subtracted first, so that no exponential overflows."""
        import numpy as np

        scores = np.where(allowed, scores, -np.inf)
        top = scores.max(-1, keepdims=True)
        # A row without a key has the maximum minus infinity; 0 avoids the undefined difference inf - inf.
        top = np.where(np.isfinite(top), top, 0)
        weights = np.exp(scores - top)
        total = weights.sum(-1, keepdims=True)
        # The sink takes a share of the softmax but has no value, so it is only part of the denominator.
        if self.sink is not None:
            total = total + np.exp((parameters["sink"][:, None, None] if parameters else 0) - top)
        found: Array = weights / np.where(total == 0, 1, total)
        return found

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.scaled_dot_product_attention`; explicit products for weights or options that no kernel supports."""
        if self.is_explicit or _is_latent(e.types):
            return self._explicit(e, inputs, parameters)
        mask, keep = ("", "") if self._is_causal else self._masking(e, inputs)
        mask = self._biased(e, inputs[3], mask) if self.bias else mask
        # A default scale is left out: Torch-TensorRT rounds an explicit one to the dtype of the queries.
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
        """Whether the kernel's own causal mask is enough; it cannot be combined with a bias."""
        # `is_causal` aligns at the upper left: the same here, as masks that compare positions require equal axes.
        return normal(self.mask).kernel == "causal" and not self.bias

    def _biased(self, e: Emitter, bias: str, mask: str) -> str:
        """The bias with four axes, and minus infinity for the keys that the mask excludes."""
        missing = 4 - e.types[3].rank
        bias = f"{operand(bias)}[{', '.join(['None'] * missing)}]" if missing else bias
        return e.assign("bias", f'{operand(bias)}.masked_fill(~{mask}, float("-inf"))') if mask else bias

    def _masking(self, e: Emitter, inputs: Sequence[str]) -> tuple[str, str]:
        """The names of the mask and of the rows that have a key; empty if they are not needed."""
        mask, sources, types = normal(self.mask), inputs[self.first :], e.types[self.first :]
        if mask.kernel == "full":
            return "", ""
        if isinstance(mask, Given):
            return sources[mask.control], "" if mask.keep is None else sources[mask.keep]
        operands = [
            Control(named(e, "control", source), type_.rank) for source, type_ in zip(sources, types, strict=True)
        ]
        device = f"{operand(inputs[0])}.device"
        made = e.assign("mask", emit(mask, e, e.types[1].shape[2], device, operands))
        if not may_leave_row_empty(mask):
            return made, ""
        # A row without a key would give NaN in softmax: it is opened here, and its result is replaced by zeros.
        keep = e.assign("keep", f"{made}.any(-1, keepdim=True)")
        return e.assign("mask", f"{made} | ~{keep}"), keep

    def _explicit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The source with explicit scores and softmax; weights are the second result if requested."""
        mask, keep = self._masking(e, inputs)
        scores = self._scores(e, inputs)
        scores = e.assign("scores", f'{scores}.masked_fill(~{mask}, float("-inf"))') if mask else scores
        weights = e.assign("weights", self._softmax(e, scores, parameters))
        if keep:
            weights = e.assign("weights", f"torch.where({keep}, {weights}, 0)")
        dropped = call("F.dropout", weights, literal(self.dropout), e.training) if self.dropout else weights
        result = self._product(e, dropped, inputs[2], heads=weights)
        return (result, weights) if self.weights else (result,)

    def _product(self, e: Emitter, left: str, right: str, moved: str = "", *, heads: str) -> str:
        """Source of the products with keys or values, `moved` first; axis 1 of `heads` is that of the queries."""
        if _is_latent(e.types):
            # All heads read one matrix: their rows are those of one product, and the matrix is not repeated.
            return f"({left}.flatten(1, 2) @ {operand(right)}[:, 0]{moved}).unflatten(1, {heads}.shape[1:3])"
        if _group(e.types) == 1:
            return f"{left} @ {operand(right)}{moved}"
        # A shard of the module has a part of the heads, and may have one of keys that another shard has too.
        right = named(e, "k" if moved else "v", right)
        return f"{left} @ {right}.repeat_interleave({heads}.shape[1] // {right}.shape[1], dim=1){moved}"

    def _scores(self, e: Emitter, inputs: Sequence[str]) -> str:
        """The name of the scores, before the mask."""
        q = named(e, "q", inputs[0]) if _group(e.types) > 1 else operand(inputs[0])
        more = [operand(source) for source in inputs[3 : self.first]]
        product = self._product(e, q, inputs[1], ".transpose(-2, -1)", heads=q)
        scale = Scalar.of(1) / Scalar.of(e.types[0].shape[3]).sqrt() if self.scale is None else self.scale
        factor = "" if scale == Scalar.of(1) else f" * {operand(e.number(scale))}"
        scores = e.assign("scores", f"{product}{factor}")
        if self.softcap is not None:
            cap = operand(e.number(self.softcap))
            scores = e.assign("scores", f"{cap} * torch.tanh({scores} / {cap})")
        scores = e.assign("scores", f"{scores} * {more[0]}") if self.factor else scores
        return e.assign("scores", f"{scores} + {more[-1]}") if self.bias else scores

    def _softmax(self, e: Emitter, scores: str, parameters: Mapping[str, str]) -> str:
        """Softmax over the keys and the sink, if there is one; the weight of the sink is then dropped."""
        if self.sink is None:
            return f"torch.softmax({scores}, dim=-1)"
        # A zero sink is one more score of 0, which is what `F.pad` appends.
        padded = f"F.pad({scores}, (0, 1))"
        if self.sink == "learned":
            sink = f"{parameters['sink']}[:, None, None].expand(*{scores}.shape[:-1], 1)"
            padded = f"torch.cat(({scores}, {sink}), dim=-1)"
        return f"torch.softmax({padded}, dim=-1)[..., :-1]"


def _group(inputs: Sequence[TensorType]) -> int:
    """The number of query heads per key head. Raises ShapeError if it is not a whole number."""
    heads, kv_heads = inputs[0].shape[1], inputs[1].shape[1]
    group = Dim.of(1) if heads == kv_heads else heads // kv_heads
    if group.constant is None or compare(group * kv_heads, "==", heads) is not True:
        raise ShapeError(f"{heads} query heads cannot share {kv_heads} key heads evenly", (0, 1))
    return group.constant


def _is_latent(inputs: Sequence[TensorType]) -> bool:
    """Whether all of several query heads read one key head, of another size than its values: no kernel takes it."""
    return _group(inputs) > 1 and inputs[1].shape[1] == 1 and inputs[1].shape[3] != inputs[2].shape[3]


def _same_head(out: TensorType, inp: TensorType, group: int) -> Relation:
    """The relation of equal batch rows and of each query head to the key head that it reads."""
    if group == 1:
        return aligned(out, inp, [(0, 0), (1, 1)])
    batch = aligned(out, inp, [(0, 0)])
    heads, kv_heads = out.coordinates[1], inp.coordinates[1]
    # Heads of several factors are not tracked: the batch row alone is a sound bound.
    if len(heads) != 1 or len(kv_heads) != 1:
        return batch
    # `0 <= h - group * g < group`: query head h reads key head g = h // group.
    shared = Difference(out=heads[0], inp=kv_heads[0], b=group, lo=ZERO, hi=ZERO + group - 1)
    return meet(batch, Relation((Atom(differences=frozenset({shared})),)))


def _fits_scores(number: int, found: TensorType, scores: TensorType) -> None:
    """Raise ShapeError unless an operand is broadcast to the scores."""
    if found.rank > 4 or [a.size for a in broadcast(scores, found)] != list(scores.shape):
        raise ShapeError(f"{found} cannot be broadcast to the scores, {scores}", (number,))


def _row(out: TensorType, found: TensorType, operands: MaskOperands, keys: TensorType) -> Relation:
    """The part of an operand broadcast to the scores that a row of the output reads."""
    scores = out.with_axes(*out.axes[:3], keys.axes[2])
    pairs = broadcast_axes(scores, found)
    read = aligned(scores, found, [pair for pair in pairs if pair[0] != 3])
    # What has no axis of keys is the same for all of them, so that the mask hides nothing of it.
    if found.rank == 0 or found.axes[-1] != keys.axes[2]:
        return read
    batched = found.rank == 4 and found.axes[0] == out.axes[0]
    return meet(read, operands.allowed(out, 2, found, found.rank - 1, batched=batched))
