"""A mask computed once and shared by all attention that uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.placement import Shard, Sharding
from archspec.ir.sharded import beside, free, unread
from archspec.ir.source import named, operand
from archspec.ir.types import DType, TensorType, axis
from archspec.masks.emit import emit
from archspec.masks.evaluate import evaluate
from archspec.masks.mask import Mask
from archspec.masks.source import Control
from archspec.masks.walk import controls, differs_by_query
from archspec.ops.attention.mask_operands import MaskOperands
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class MakeMask(Primitive):
    """The keys that each query may attend to, as bool [batch or 1, 1, queries or 1, keys].

    Operand 0 only provides the device; the others are the controls of the mask. With `keep`, a second output
    [batch or 1, 1, queries or 1, 1] is true for rows that have a key. A row without a key is then all true in the
    first output, so that its softmax is finite on every backend; attention sets the result of such a row to zero.
    """

    name = "make_mask"
    signature = "..., ... -> b 1 s t"
    sized = frozenset({"queries", "keys"})
    acts = "nonlinear"
    reads_more = "a control counts as read wherever its term is evaluated, even if another term or `i = j` decides"

    mask: Mask
    queries: Dim
    keys: Dim
    keep: bool

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The mask and, with `keep`, the rows that have a key. Raises ShapeError if a control does not fit."""
        if not inputs:
            raise ShapeError("needs an operand that gives the device")
        operands = self._operands(inputs)
        operands.check(operands.batch(), axis(self.queries), axis(self.keys))
        # A mask of keys only, such as one of padding, is stored once for all queries and broadcast.
        rows = self.queries if differs_by_query(self.mask) else 1
        made = TensorType.of(DType.BOOL, operands.batch(), 1, rows, self.keys)
        return (made, made.with_axes(*made.axes[:3], 1)) if self.keep else (made,)

    def _operands(self, inputs: Sequence[TensorType]) -> MaskOperands:
        """The operands of the mask, with their types."""
        return MaskOperands(mask=self.mask, types=inputs[1:], first=1)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Controls at the same query and key; with `keep`, also at every key that the mask may allow for the row."""
        operands = self._operands(inputs)
        rows = []
        for number, out in enumerate(outputs):
            row = [NOTHING]
            for control in range(len(inputs) - 1):
                found = operands.reads(out, 2, control) if self.keep else NOTHING
                row.append(found if number else found | operands.direct(out, control))
            rows.append(tuple(row))
        return tuple(rows)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows, and by queries or keys where no positions are compared; of the first operand only sizes are used."""
        operands = self._operands(inputs)
        sides = [(operands.along("query", self.queries, self.keys), 2)] if differs_by_query(self.mask) else []
        # A row that has no key in one part may have one in another.
        sides += [(operands.along("key", self.keys, self.keys), 3)] if not self.keep else []
        parted = [(operands.by_rows(), 0), *((controls, axis) for controls, axis in sides if controls is not None)]
        ways = [Sharding(operands=tuple(controls), results=(Shard(axis),)) for controls, axis in parted]
        places = unread(inputs[0], free(inputs[0], *operands.sizes(self.keys)))
        # The rows that have a key are where the mask is.
        return tuple(replace(way, results=way.results * len(outputs)) for way in beside([places], ways))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The mask, evaluated by its definition."""
        import numpy as np

        rows = self.queries.value(sizes) if differs_by_query(self.mask) else 1
        allowed = evaluate(self.mask, rows, self.keys.value(sizes), inputs[1:], sizes)
        made = allowed[:, None] if allowed.ndim == 3 else allowed[None, None]
        if not self.keep:
            return (made,)
        keep = np.any(made, axis=-1, keepdims=True)
        return made | ~keep, keep

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Comparisons of positions; with `keep`, `mask | ~keep`."""
        read = controls(self.mask)
        operands = [
            Control(named(e, "control", source) if number in read else source, type_.rank)
            for number, (source, type_) in enumerate(zip(inputs[1:], e.types[1:], strict=True))
        ]
        made = emit(self.mask, e, self.keys, f"{operand(inputs[0])}.device", operands)
        if not self.keep:
            return (made,)
        mask = named(e, "mask", made)
        keep = e.assign("keep", f"{mask}.any(-1, keepdim=True)")
        return f"{mask} | ~{keep}", keep
