"""A choice by a predicate over the first axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import compare
from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import aligned, broadcast_axes, places
from archspec.ir.motion import Motion
from archspec.ir.moving import broadcasting, same, together
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import BOOL, broadcast, require
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.sharded import along, free, terms
from archspec.ir.source import call, operand
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.relation.atoms import Guard, Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Select(Primitive):
    """`x` where a condition over its first axes holds; elsewhere a number, or a tensor that broadcasts to `x`.

    Operands: the condition [first axes of x], x and, if `number` is None, the other tensor.
    """

    name = "select"
    signature = "..., ..., ... -> ..."
    anywhere = True
    reads_more = "axes of equal size with different factors are related only by pairs of factors"

    number: Scalar | None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of `x`; its bound is kept only if both sides have it.

        Raises ShapeError if the condition is not over the first axes of `x`, or the sides differ.
        """
        require(inputs[:1], BOOL)
        condition, x, *others = inputs
        sizes = zip(condition.shape, x.shape, strict=False)
        if condition.rank > x.rank or any(compare(a, "==", b) is not True for a, b in sizes):
            raise ShapeError(f"the condition is {condition}, expected the first axes of {x}", (0, 1))
        for other in others:
            if other.dtype != x.dtype:
                raise ShapeError(f"both branches must have the same dtype, got {x} and {other}", (1, 2))
            if other.rank > x.rank or [a.size for a in broadcast(x, other)] != list(x.shape):
                raise ShapeError(f"{other} cannot be broadcast to {x}", (1, 2))
        if self.number is not None:
            self._fits(self.number, x)
        # The number may exceed the bound of x, and the result then has none.
        kept = x if all(other.bound == x.bound for other in others) and self.number is None else unbounded(x)
        return (kept,)

    def _fits(self, number: Scalar, x: TensorType) -> None:
        """Raise ShapeError unless the number can be an element of `x`."""
        if x.dtype is DType.BOOL or (x.dtype.is_integer and number.as_dim() is None):
            what = "a bool value" if x.dtype is DType.BOOL else "a whole number or an integer value"
            raise ShapeError(f"`otherwise` must be {what} for {x}, got a number", (1,))

    @property
    def choosing(self) -> tuple[int, ...]:
        """The condition."""
        return (0,)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position: of `x` where the condition is true, of the other operand where it is false."""
        y, (condition, x, *others) = outputs[0], inputs
        own = [(k, k) for k in range(condition.rank)]
        chosen = _guarded(aligned(y, x, [(k, k) for k in range(x.rank)]), y, condition, negated=False)
        rest = [_guarded(aligned(y, o, broadcast_axes(y, o)), y, condition, negated=True) for o in others]
        return ((aligned(y, condition, own), chosen, *rest),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis on whose size the number does not depend; in terms of both branches, or of one beside zeros."""
        condition, x, *others = inputs
        kept = free(x, *(() if self.number is None else (self.number,)))
        own = [{k: k for k in kept if k < one.rank} for one in (condition, x)]
        pairs = [*own, *(broadcasting(outputs[0], other) for other in others)]
        is_linear = x.dtype is DType.FLOAT and (self.number is None or self.number == Scalar.of(0))
        return (*along(pairs), *([terms(Copied(), *(Partial() for _ in inputs[1:]))] if is_linear else ()))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operands, which must move together; along a broadcast axis an operand is level."""
        condition, x, *others = inputs
        rest = [broadcasting(outputs[0], other) for other in others]
        return (together(operands, [same(*range(condition.rank)), same(*range(x.rank)), *rest]),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The condition chooses, and both branches are taken as they are."""
        return (frozenset(range(len(inputs))), *(frozenset((0,)) for _ in inputs[1:]))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The choice."""
        import numpy as np

        condition, x, *others = inputs
        condition = condition.reshape(condition.shape + (1,) * (x.ndim - condition.ndim))
        other = others[0] if self.number is None else np.asarray(self.number.evaluate(sizes), dtype=x.dtype)
        return (np.where(condition, x, other),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`torch.where(valid[..., None], x, 0)`."""
        missing = e.types[1].rank - e.types[0].rank
        condition = f"{operand(inputs[0])}[{', '.join(['...', *['None'] * missing])}]" if missing else inputs[0]
        other = inputs[2] if self.number is None else e.number(self.number)
        return (call("torch.where", condition, inputs[1], other),)


def unbounded(type_: TensorType) -> TensorType:
    """The type without its bound on values."""
    return TensorType(type_.dtype, type_.axes)


def _guarded(relation: Relation, y: TensorType, condition: TensorType, *, negated: bool) -> Relation:
    """The relation guarded by the condition or its negation; without a guard if the axes have other factors."""
    own = y.axes[: condition.rank]
    if not relation.atoms or [axis.factors for axis in own] != [axis.factors for axis in condition.axes]:
        return relation
    # `aligned` gives one atom, since equal positions are a single conjunction.
    (atom,) = relation.atoms
    at = tuple(places(y)[: condition.rank])
    guard = Guard(side="out", predicate=0, coordinates=at, negated=negated)
    return Relation((replace(atom, guards=frozenset((guard,))),)) if at else relation
