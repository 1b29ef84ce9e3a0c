"""A choice between two tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned, broadcast_axes, places
from archspec.ir.motion import Motion
from archspec.ir.moving import broadcasting, together
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import BOOL, NUMERIC, broadcast, require
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.sharded import along, terms
from archspec.ir.source import call
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.relation.atoms import Guard, Relation
from archspec.relation.forms import Place

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Where(Primitive):
    """Elementwise `a` where the condition holds, otherwise `b`, with PyTorch's broadcasting."""

    name = "where"
    signature = "..., ..., ... -> ..."
    anywhere = True
    reads_more = "a condition with an axis of size 1 is not used as a guard"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The broadcast type. Raises ShapeError if sizes or the element types of `a` and `b` differ."""
        require(inputs, BOOL, NUMERIC)
        _, a, b = inputs
        if a.dtype != b.dtype:
            raise ShapeError(f"both branches must have the same dtype, got {a} and {b}", (1, 2))
        return (a.with_axes(*broadcast(*inputs)),)

    @property
    def choosing(self) -> tuple[int, ...]:
        """The condition."""
        return (0,)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position: of `a` where the condition is true, of `b` where it is false."""
        y = outputs[0]
        condition, a, b = (aligned(y, x, broadcast_axes(y, x)) for x in inputs)
        guard = _guard_places(y, inputs[0])
        if guard is None:
            return ((condition, a, b),)
        return ((condition, _guarded(a, guard, negated=False), _guarded(b, guard, negated=True)),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis; in terms of both branches."""
        linear = [terms(Copied(), Partial(), Partial())] if outputs[0].dtype is DType.FLOAT else []
        return (*along([broadcasting(outputs[0], x) for x in inputs]), *linear)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operands, which must move together; along a broadcast axis an operand is level."""
        return (together(operands, [broadcasting(outputs[0], x) for x in inputs]),)

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """Both branches, where the condition is broadcast inside its own axes."""
        guard = _guard_places(self.infer(*inputs)[0], inputs[0])
        return dict.fromkeys((1, 2), self.reads_more) if guard is None else {}

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The condition chooses, and both branches are taken as they are."""
        return frozenset((0, 1, 2)), frozenset((0,)), frozenset((0,))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The choice."""
        import numpy as np

        return (np.where(*inputs),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`torch.where`."""
        return (call("torch.where", *inputs),)


def _guard_places(out: TensorType, condition: TensorType) -> tuple[Place, ...] | None:
    """The coordinates of the result that index the condition; None if it is broadcast inside its own axes."""
    if out.shape[out.rank - condition.rank :] != condition.shape:
        return None
    return tuple(places(out)[out.rank - condition.rank :])


def _guarded(relation: Relation, at: tuple[Place, ...], *, negated: bool) -> Relation:
    """The relation of one branch, restricted to output positions where the condition chooses the branch."""
    # `aligned` gives one atom, since equal positions are a single conjunction.
    (atom,) = relation.atoms
    guard = Guard(side="out", predicate=0, coordinates=at, negated=negated)
    return Relation((replace(atom, guards=frozenset((guard,))),))
