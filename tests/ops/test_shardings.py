"""Every sharding that an op declares holds for its emitted code, and every one that holds is declared."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate

import pytest

from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.types import axis
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.dropout import Dropout
from archspec.ops.linear.linear import Linear
from archspec.ops.registry import all_primitives
from tests.ops.case import Case, all_cases, floats
from tests.ops.parted import AsNumbers, AsShapes, Trial, Way, trains_otherwise
from tests.ops.placements import RANKS, Key, count, found, key

# Sizes that the ranks divide.
SIZES = {
    2: {"batch": 2, "src": 4, "tgt": 6, "height": 4, "layer": 1},
    4: {"batch": 4, "src": 4, "tgt": 4, "height": 8, "layer": 1},
}
CASES = all_cases()


def declared(case: Case, ranks: int) -> list[Way]:
    """The ways that a case declares and these ranks can take, with and without copies."""
    shardings = case.op.shardings(case.inputs, case.outputs)
    ways = [Way(one, ranks) for sharding in shardings for one in (sharding, *copied(case, sharding, ranks))]
    return [way for way in ways if way.is_admitted(case)]


def copied(case: Case, sharding: Sharding, ranks: int) -> Iterator[Sharding]:
    """The sharding with one entry of each of the operands that may have copies, where there are fewer than ranks."""
    for number in sharding.grouped[:1]:
        count = case.inputs[number].shape[sharding.operands[number].axis].value(case.sizes)
        if count < ranks and ranks % count == 0:
            shared = [
                Shard(one.axis, ranks // count) if k in sharding.grouped else one
                for k, one in enumerate(sharding.operands)
            ]
            yield replace(sharding, operands=tuple(shared))


def trials(case: Case) -> Iterator[Trial]:
    """The case with sizes written in both ways, in training too, and as its layer."""
    seed = zlib.crc32(str(case).encode())
    for kind in (AsNumbers, AsShapes):
        yield Trial(case, seed, kind)
    if trains_otherwise(case):
        yield Trial(case, seed, training=True)
    if case.op.calls_layer and case.op.layer(*case.inputs):
        yield Trial(case, seed, by_layer=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_declared_holds(case: Case) -> None:
    for ranks, sizes in SIZES.items():
        sized = replace(case, sizes=sizes)
        ways = declared(sized, ranks)
        for trial in trials(sized) if ways else ():
            for way in ways:
                assert trial.wrong(way) == "", way


# Of each op as many cases are tried as have so few placements together, the smallest ones first; the others take long.
BUDGET = 100
MOST = 6000


def in_order(name: str) -> list[Case]:
    """The cases of an op for two ranks, those with the fewest placements first."""
    # An op of so many operands is tried with one row, and positions that ranks do not divide.
    sizes = SIZES[RANKS] | ({"batch": 1, "src": 3} if name == "step_attention" else {})
    sized = [replace(case, sizes=sizes) for case in CASES if case.op.name == name]
    return sorted(sized, key=count)


def first_cases(name: str) -> list[Case]:
    """The first cases of an op that are within the budget, at least one."""
    cases = in_order(name)
    sums = list(accumulate(count(case) for case in cases))
    return [case for number, (case, total) in enumerate(zip(cases, sums, strict=True)) if not number or total <= BUDGET]


Excuse = Callable[[Case, Key], bool]
EXCUSED: Mapping[str, tuple[str, Excuse]] = {
    "experts": (
        "the weights come whole from a router, and the emitted code shapes results as it does the tokens",
        lambda case, way: way[0][1] == Partial() or ("down", Shard(1)) in way[2],
    ),
    "gather_position": ("of one position every index is 0", lambda case, way: case.inputs[1].bound == 1),
    "last_entry": ("of one new entry the index is 0", lambda case, way: case.op.new == 1),
    "shift": ("nothing is left of an axis that is moved away", lambda case, way: case.op.by == case.inputs[0].shape[0]),
}
"""Ways that hold and are not declared, by op, each with the reason."""


def undeclared(case: Case) -> set[Key]:
    """The ways that hold and are not declared."""
    known = {key(case, way.sharding) for way in declared(case, RANKS)}
    return found(case) - known


def unexcused(case: Case) -> list[Key]:
    """Those of them for which there is no reason."""
    _, excuse = EXCUSED.get(case.op.name, ("", lambda case, way: False))
    return sorted((way for way in undeclared(case) if not excuse(case, way)), key=str)


@pytest.mark.parametrize("name", sorted(all_primitives()))
def test_what_holds_is_declared(name: str) -> None:
    for case in first_cases(name):
        assert unexcused(case) == [], case


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", sorted(all_primitives()))
def test_what_holds_is_declared_of_every_case(name: str) -> None:
    others = [case for case in in_order(name) if count(case) <= MOST and case not in first_cases(name)]
    for case in others:
        assert unexcused(case) == [], case


@pytest.mark.parametrize("name", sorted(EXCUSED))
def test_every_excuse_has_a_case(name: str) -> None:
    _, excuse = EXCUSED[name]
    assert any(excuse(case, way) for case in in_order(name) if count(case) <= MOST for way in undeclared(case))


def test_batch_norm_alone_computes_something_else_in_training() -> None:
    sized = {case.op.name: replace(case, sizes=SIZES[RANKS]) for case in reversed(CASES)}
    assert {name for name, case in sized.items() if trains_otherwise(case)} == {"batch_norm"}


def test_what_is_declared_and_does_not_hold_is_found() -> None:
    class Wrong(Activation):
        is_linear = True

    case = Case(op=Wrong(kind="relu"), inputs=(floats(2, 4),))
    (way,) = [one for one in declared(case, RANKS) if one.sharding.results == (Partial(),)]
    assert Trial(case, 0).wrong(way) == "result 0 is not Partial()"


def test_a_gradient_that_is_placed_otherwise_is_found() -> None:
    class Wrong(Dropout):
        def emit(self, e, inputs, parameters):  # type: ignore[no-untyped-def]
            """The operand, with a gradient that grows with its length."""
            return ("x0 * x0.shape[0] - x0.detach() * (x0.shape[0] - 1)",)

    case = Case(op=Wrong(rate=0.0), inputs=(floats(2, 3),))
    (way,) = [one for one in declared(case, RANKS) if one.sharding.results == (Shard(0),)]
    assert Trial(case, 0).wrong(way) == "the gradient of operand 0 is not that of Shard(axis=0, copies=1)"


def test_an_op_that_declares_nothing_is_found() -> None:
    class Unknown(Linear):
        def shardings(self, inputs, outputs):  # type: ignore[no-untyped-def]
            return ()

    case = Case(op=Unknown(out=axis(4)), inputs=(floats(2, 4),))
    known = Linear(out=axis(4)).shardings(case.inputs, case.outputs)
    assert set(unexcused(case)) == {key(case, sharding) for sharding in known}
