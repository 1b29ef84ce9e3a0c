"""Every sharding that an op declares holds for its emitted code, and every one that holds is declared."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from archspec.ir.placement import Shard, Sharding
from tests.ops.case import Case, all_cases
from tests.ops.parted import AsNumbers, AsShapes, Trial, Way

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
    if case.op.name == "batch_norm":
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
