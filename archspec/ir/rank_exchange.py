"""Ops at which the ranks of a sharded graph exchange values; all else a rank computes alone.

Like calls and repeats they are no part of the language: `passes/shard.py` puts them where a plan converts values. Every
rank runs the same ones in the same order. In emitted code they are calls of `torch.distributed` over its default group.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from archspec.ir.op import Emitter, Primitive, ShapeError
from archspec.ir.operands import FLOAT, axis_number, require
from archspec.ir.source import call
from archspec.ir.types import Axis, TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

Exchanged = Literal["all-reduce", "all-gather"]


@record
class RankExchange(Primitive):
    """One value a rank goes in, and one comes out; `exchange` says which, given those of all ranks."""

    acts = "affine"
    kind: ClassVar[Exchanged]

    ranks: int

    @abstractmethod
    def exchange(self, each: Sequence[Array]) -> list[Array]:
        """What each rank is given, of what every rank has."""

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """What a rank would be given if every rank had the same. `interpret_ranks` runs ranks that differ."""
        return (self.exchange([inputs[0]] * self.ranks)[0],)


@record
class AllReduce(RankExchange):
    """The sum of what the ranks have: `[...] -> [...]`."""

    name = "all_reduce"
    signature = "... -> ..."
    kind = "all-reduce"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand."""
        require(inputs, FLOAT)
        return inputs

    def exchange(self, each: Sequence[Array]) -> list[Array]:
        """The sum, in the order of the ranks."""
        total = each[0]
        for one in each[1:]:
            total = total + one
        return [total] * self.ranks

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        return (call(e.helper(ALL_REDUCE), inputs[0]),)


@record
class AllGather(RankExchange):
    """The parts that the ranks have of an axis, one after another: `[..., d] -> [..., ranks*d]`."""

    name = "all_gather"
    signature = "... -> ..."
    kind = "all-gather"

    axis: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand with `ranks` times the axis. Raises ShapeError for an axis that it does not have."""
        (x,) = inputs
        place = axis_number(x, self.axis)
        first, *rest = x.axes[place].factors
        if not first.is_constant:
            raise ShapeError(f"parts of axis {self.axis} of {x} are only known at run time", (0,))
        whole = Axis((self.ranks * first, *rest))
        return (TensorType(x.dtype, (*x.axes[:place], whole, *x.axes[place + 1 :]), x.bound),)

    def exchange(self, each: Sequence[Array]) -> list[Array]:
        """The parts, in the order of the ranks."""
        import numpy as np

        return [np.concatenate(list(each), axis=self.axis)] * self.ranks

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        return (call(e.helper(ALL_GATHER), inputs[0], str(self.axis), str(self.ranks)),)


ALL_REDUCE = '''
def all_reduce(x: Tensor) -> Tensor:
    """The sum of what all ranks have; it has no gradient."""
    if x.requires_grad:
        raise RuntimeError("modules of ranks do not train: use torch.no_grad()")
    total = x.contiguous().clone()
    torch.distributed.all_reduce(total)
    return total
'''
ALL_GATHER = '''
def all_gather(x: Tensor, axis: int, ranks: int) -> Tensor:
    """The parts that all ranks have of an axis, in the order of the ranks, without a gradient."""
    if x.requires_grad:
        raise RuntimeError("modules of ranks do not train: use torch.no_grad()")
    x = x.contiguous()
    parts = [torch.empty_like(x) for _ in range(ranks)]
    torch.distributed.all_gather(parts, x)
    return torch.cat(parts, axis)
'''
