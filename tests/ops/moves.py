"""Whether an op moves with its operands as it says, found by moving them in its reference."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import ceil, floor

import numpy as np

from archspec.algebra.dim import Dim
from archspec.ir.motion import Everywhere, Lost, Motion, Move, Moves, Still
from archspec.ir.op import Primitive
from archspec.ir.types import TensorType
from tests.ops.case import Case

Trait = Callable[[Case, Sequence[Motion]], Sequence[Motion]]
_MOST = 10


def declared(case: Case, operands: Sequence[Motion]) -> Sequence[Motion]:
    """What the op says."""
    assert isinstance(case.op, Primitive)
    return case.op.moved(operands, case.inputs, case.outputs)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Motions of the operands of a case."""

    case: Case
    operands: tuple[Motion, ...]

    def __str__(self) -> str:
        return f"{self.case} {self.operands}"

    def wrong(self, trait: Trait = declared) -> str:
        """What of a trait a run contradicts; empty if nothing."""
        case = self.case
        rng = np.random.default_rng(zlib.crc32(str(case).encode()))
        parameters = case.parameters(rng)
        values = [level(case, *one, rng) for one in zip(self.operands, case.inputs, strict=True)]
        before = case.op.reference(values, parameters, case.sizes)
        for times in (1, -1):
            given = [moved(case, x, one, times, rng) for x, one in zip(values, self.operands, strict=True)]
            after = case.op.reference(given, parameters, case.sizes)
            for number, said in enumerate(trait(case, self.operands)):
                found = contradicts(case, said, before[number], after[number], times)
                if found:
                    return f"output {number}: {said}: {found}"
        return ""

    def says(self, trait: Trait = declared) -> list[Motion]:
        return list(trait(self.case, self.operands))


def level(case: Case, one: Motion, type_: TensorType, rng: np.random.Generator) -> np.ndarray:
    """A random operand, equal along the axes that a still one says are level."""
    value = case.value(type_, rng)
    for axis in one.level if isinstance(one, Still) else ():
        value = np.repeat(value.take([0], axis=axis), value.shape[axis], axis=axis)
    return value


def size(case: Case, dim: Dim) -> int:
    return dim.value(case.sizes)


def parts(case: Case, x: np.ndarray, one: Moves) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Still positions, those that move as [outer, size, inner, rest], and still positions: the axis first."""
    x = np.moveaxis(x, one.axis, 0)
    front, back = size(case, one.front), size(case, one.back)
    middle = x[front : len(x) - back]
    shape = (size(case, one.outer), size(case, one.size), size(case, one.inner))
    return x[:front], middle.reshape(*shape, -1), x[len(x) - back :]


def whole(x: np.ndarray, one: Moves, front: np.ndarray, middle: np.ndarray, back: np.ndarray) -> np.ndarray:
    rest = front.shape[1:]
    joined = np.concatenate([front, middle.reshape(-1, *rest), back])
    return np.moveaxis(joined, 0, one.axis)


def moved(case: Case, x: np.ndarray, one: Motion, times: int, rng: np.random.Generator) -> np.ndarray:
    """The operand after the move: in a line, anything enters."""
    if not isinstance(one, Moves):
        return x
    front, middle, back = parts(case, x, one)
    step = int(one.step) * times
    rolled = np.roll(middle, step, axis=1)
    if not one.move.circular and x.dtype.kind == "f":
        count = rolled.shape[1]
        entered = np.arange(count) < step if step > 0 else np.arange(count) >= count + step
        rolled[:, entered] = rng.normal(size=rolled[:, entered].shape)
    return whole(x, one, front, rolled, back)


def contradicts(case: Case, said: Motion, before: np.ndarray, after: np.ndarray, times: int) -> str:
    """How two runs contradict a motion; empty if they do not."""
    if isinstance(said, Everywhere | Lost) or (isinstance(said, Moves) and said.broken is not None):
        return ""
    if isinstance(said, Still):
        uneven = [axis for axis in said.level if not np.allclose(before, before.take([0], axis=axis))]
        return f"differs along {uneven}" if uneven else "" if same(before, after) else "changes"
    (front, old, back), (first, new, last) = parts(case, before, said), parts(case, after, said)
    if not (same(front, first) and same(back, last)):
        return "still positions change"
    assert said.step.denominator == 1
    step, count = int(said.step) * times, old.shape[1]
    own = np.arange(count) - step
    kept = (own >= 0) & (own < count)
    if said.move.circular:
        kept |= said.is_whole
    else:
        kept &= fits(case, said, np.arange(count)) & fits(case, said, own)
    return "" if same(old[:, own % count][:, kept], new[:, kept]) else "is not where it should be"


def fits(case: Case, said: Moves, m: np.ndarray) -> np.ndarray:
    length = size(case, said.move.length)
    first = np.asarray([floor(said.span * int(k) + said.low) for k in m])
    last = np.asarray([ceil(said.span * int(k) + said.high) for k in m])
    return (first >= 0) & (last < length)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and bool(np.allclose(left, right, rtol=1e-9, atol=1e-9))


def trials(case: Case) -> Iterator[Trial]:
    """Operands that move together along axes of one size, the others still, or level."""
    choices = [[None, *range(type_.rank)] for type_ in case.inputs]
    chosen = [one for one in product(*choices) if any(axis is not None for axis in one)]
    rng = np.random.default_rng(len(chosen))
    # Operands move together where their axes are the same size, as it stands in the types.
    chosen = [one for one in chosen if len(lengths(case, one)) == 1]
    if len(chosen) > _MOST:
        # Those in which most operands move first: the others are drawn.
        chosen.sort(key=lambda one: sum(axis is None for axis in one))
        rest = rng.choice(len(chosen) - _MOST // 2, _MOST // 2, replace=False) + _MOST // 2
        chosen = [*chosen[: _MOST // 2], *(chosen[k] for k in sorted(rest))]
    for axes in chosen:
        yield from along(case, axes, lengths(case, axes).pop())


def lengths(case: Case, axes: Sequence[int | None]) -> set[Dim]:
    return {case.inputs[n].shape[axis] for n, axis in enumerate(axes) if axis is not None}


def along(case: Case, axes: Sequence[int | None], dim: Dim) -> Iterator[Trial]:
    for circular, start in product((True, False), starts(case, dim)):
        for step in (1, 2, 3):
            if step >= size(case, start.size):
                continue
            move = Move(length=start.size, unit=step, circular=circular)
            one = replace(start, move=move, step=Fraction(step))
            for is_level in (False, True):
                still = [frozenset(range(type_.rank)) if is_level else frozenset() for type_ in case.inputs]
                yield Trial(
                    case=case,
                    operands=tuple(
                        Still(level=levels) if axis is None else replace(one, axis=axis)
                        for axis, levels in zip(axes, still, strict=True)
                    ),
                )
                if None not in axes:
                    break


def starts(case: Case, dim: Dim) -> Iterator[Moves]:
    """What moves along an axis of a size: all of it, what stands behind a still position, one of two factors."""
    any_move = Move(length=dim, unit=1, circular=True)
    yield Moves(move=any_move, axis=0, size=dim, step=Fraction(1))
    count = dim.constant
    if count is not None and count > 2:
        yield Moves(move=any_move, axis=0, size=dim - 1, step=Fraction(1), front=Dim.of(1))
        yield Moves(move=any_move, axis=0, size=dim - 1, step=Fraction(1), back=Dim.of(1))
    if count is not None and count > 2 and count % 2 == 0:
        yield Moves(move=any_move, axis=0, size=dim // 2, step=Fraction(1), outer=Dim.of(2))
        yield Moves(move=any_move, axis=0, size=dim // 2, step=Fraction(1), inner=Dim.of(2))
