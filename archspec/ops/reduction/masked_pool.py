"""A pooled vector of the valid positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from archspec.ir.coordinates import aligned, places
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import APART, gathered, joined, together
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads
from archspec.ir.operands import BOOL, FLOAT, require
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.sharded import along, terms
from archspec.ir.signature import bind
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import Guard, Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


Kind = Literal["mean", "max", "last"]

# Invalid values are replaced and not multiplied by 0, which keeps NaN and infinity.
_HELPERS: Mapping[Kind, str] = {
    "mean": '''
def masked_mean(x: Tensor, valid: Tensor) -> Tensor:
    """Mean of x [b, s, d] where valid [b, s] is true; zeros for rows without a valid position."""
    valid = valid[..., None]
    return torch.where(valid, x, 0).sum(1) / valid.sum(1).clamp(min=1)
''',
    "max": '''
def masked_max(x: Tensor, valid: Tensor) -> Tensor:
    """Maximum of x [b, s, d] where valid [b, s] is true; zeros for rows without a valid position."""
    greatest = x.masked_fill(~valid[..., None], float("-inf")).amax(1)
    return greatest.masked_fill(~valid.any(1, keepdim=True), 0)
''',
    "last": '''
def last_valid(x: Tensor, valid: Tensor) -> Tensor:
    """x [b, s, d] at the last position where valid [b, s] is true; zeros for rows without one."""
    positions = torch.arange(valid.shape[1], device=valid.device)
    last = torch.where(valid, positions, -1).amax(1, keepdim=True)
    return torch.where((positions == last)[..., None], x, 0).sum(1)
''',
}


@record
class MaskedPool(Primitive):
    """Mean or maximum over the valid positions, or the last valid position; zeros for rows without a valid position."""

    name = "masked_pool"
    signature = "b s d, b s -> b d"
    anywhere = True
    reads_more = "the index of the last valid position depends on the data"

    kind: Kind

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand without the positions."""
        require(inputs, FLOAT, BOOL)
        bound = bind(self.signature, inputs)
        return (inputs[0].with_axes(bound["b"], bound["d"]),)

    @property
    def choosing(self) -> tuple[int, ...]:
        """The valid positions, if only the last one is read."""
        return (1,) if self.kind == "last" else ()

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The valid positions of the same row, and the whole row of `valid`."""
        (x, valid), y = inputs, outputs[0]
        (row,) = aligned(y, x, [(0, 0), (1, 2)]).atoms
        # Within an op a key is the number of an operand: 1 is `valid`.
        guard = Guard(side="in", predicate=1, coordinates=tuple(places(x)[:2]))
        row = replace(row, guards=frozenset((guard,)))
        return ((Relation((row,)), aligned(y, valid, [(0, 0)])),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows or features; in terms, but for a maximum."""
        linear = () if self.selects else (terms(Partial(), Copied()),)
        return (*along([{0: 0, 2: 1}, {0: 0}]), *linear)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With rows and features; the valid positions are taken in no order, but for the last of them."""
        x, valid = operands
        if isinstance(x, Moves) and isinstance(valid, Moves) and x.axis == valid.axis == 1:
            moving = joined(x, valid) if x.goes_with(valid) else None
            return (lost(APART) if moving is None or self.kind == "last" else gathered(moving),)
        return (together(operands, [{0: 0, 2: 1}, {0: 0}]),)

    @property
    def selects(self) -> bool:
        """Whether it is the maximum."""
        return self.kind == "max"

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The valid positions are the coefficients of a mean."""
        return frozenset((0, 1)) if self.kind == "max" else frozenset((1,)), frozenset((0, 1))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Row by row."""
        import numpy as np

        y = np.zeros((inputs[0].shape[0], inputs[0].shape[2]))
        for row, (x, valid) in enumerate(zip(*inputs, strict=True)):
            chosen = x[valid]
            if len(chosen):
                by_kind = {"mean": chosen.mean(axis=0), "max": chosen.max(axis=0), "last": chosen[-1]}
                y[row] = by_kind[self.kind]
        return (y,)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        return (call(e.helper(_HELPERS[self.kind]), *inputs),)
