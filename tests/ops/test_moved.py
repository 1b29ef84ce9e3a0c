"""What ops say of how they move, against their references on operands that are moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from archspec.ir.motion import Everywhere, Lost, Motion, Moves, Still
from archspec.ir.op import Primitive
from archspec.ops.registry import all_primitives
from tests.ops.case import Case, all_cases
from tests.ops.moves import Trial, declared, trials

CASES = [case for case in all_cases() if "state" not in type(case.op).__module__]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_are_where_the_op_says(case: Case) -> None:
    wrong = [f"{trial}: {found}" for trial in trials(case) if (found := trial.wrong())]
    assert not wrong, wrong[0]


def test_most_ops_say_how_they_move() -> None:
    """The others lose track of what moves, which proves nothing."""
    silent = {name for name, op in all_primitives().items() if op.moved is Primitive.moved}
    assert len(all_primitives()) - len(silent) >= 52
    assert {"counted_positions", "gather_position"} <= silent


def carried(operands: Sequence[Motion]) -> Motion:
    """The first operand that moves, as it moves."""
    return next(one for one in operands if isinstance(one, Moves))


def still(case: Case, operands: Sequence[Motion]) -> list[Motion]:
    """Wrong: nothing changes."""
    return [Still() for _ in case.outputs]


def unbroken(case: Case, operands: Sequence[Motion]) -> list[Motion]:
    """Wrong: nothing is broken."""
    said = declared(case, operands)
    return [replace(one, broken=None) if isinstance(one, Moves) and one.step.denominator == 1 else one for one in said]


def untouched(case: Case, operands: Sequence[Motion]) -> list[Motion]:
    """Wrong: what is lost moves as the operand does."""
    said = declared(case, operands)
    like = carried(operands)
    assert isinstance(like, Moves)

    def fits(number: int) -> bool:
        shape = case.outputs[number].shape
        return (
            like.axis < len(shape) and shape[like.axis] == like.front + like.outer * like.size * like.inner + like.back
        )

    return [like if isinstance(one, Lost | Everywhere) and fits(n) else one for n, one in enumerate(said)]


def level(case: Case, operands: Sequence[Motion]) -> list[Motion]:
    """Wrong: what is still is the same along all axes."""
    said = declared(case, operands)
    return [
        Still(level=frozenset(range(type_.rank))) if isinstance(one, Still) else one
        for one, type_ in zip(said, case.outputs, strict=True)
    ]


def narrow(case: Case, operands: Sequence[Motion]) -> list[Motion]:
    """Wrong: a position has no field around it."""
    said = declared(case, operands)
    return [replace(one, low=one.low * 0, high=one.high * 0) if isinstance(one, Moves) else one for one in said]


Wrong = Callable[[Case, Sequence[Motion]], list[Motion]]


def differs(trial: Trial, wrong: Wrong) -> bool:
    """Whether a wrong trait claims more in a trial, or something else."""
    return any(
        claim(one) not in (None, claim(other)) for one, other in zip(trial.says(wrong), trial.says(), strict=True)
    )


def claim(said: Motion) -> Motion | None:
    """What a run can contradict of a motion."""
    if isinstance(said, Lost | Everywhere) or (isinstance(said, Moves) and said.broken is not None):
        return None
    return said


def found(op: str, wrong: Wrong) -> bool | None:
    """Whether a run contradicts a wrong trait of an op; None if it says what the right one says."""
    own = [trial for case in CASES if case.op.name == op for trial in trials(case)]
    telling = [trial for trial in own if differs(trial, wrong)]
    return any(trial.wrong(wrong) for trial in telling) if telling else None


OPS = sorted({case.op.name for case in CASES})
WRONG: tuple[Wrong, ...] = (still, unbroken, untouched, level, narrow)
# Claims that are no larger than the right ones, or that three or four positions cannot tell apart.
NOT_TOLD = {
    "constant": {"still"},
    "learned": {"still"},
    "logical": {"unbroken"},
    "rotary_grid_table": {"still"},
    "slice": {"narrow"},
    "split": {"narrow"},
}


@pytest.mark.slow
@pytest.mark.parametrize("op", OPS)
def test_a_trait_made_wrong_is_found(op: str) -> None:
    outcomes = {wrong.__name__: found(op, wrong) for wrong in WRONG}
    missed = {name for name, outcome in outcomes.items() if outcome is False}
    assert missed == NOT_TOLD.get(op, set())
    assert True in outcomes.values() or op == "constant"
