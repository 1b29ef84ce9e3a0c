"""What an op becomes on a rank infers the rank's types, and computes its part, in every way that the op declares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archspec.ir.parts import part_of_parameter, part_of_type
from archspec.ir.placement import Copied, Partial, Placement, Shard
from archspec.ops.registry import all_primitives
from tests.ops.case import Case, all_cases
from tests.ops.parted import Way
from tests.ops.test_shardings import SIZES, declared

RANKS = 2
CASES = [replace(case, sizes=SIZES[RANKS]) for case in all_cases()]


def is_by_rank(case: Case, way: Way) -> bool:
    """Whether a way parts constant sizes alone, as those of tensor ranks do, and no number of positions."""
    specs = case.op.parameters(*case.inputs)
    placed = [
        *zip(case.inputs, way.sharding.operands, strict=True),
        *zip(case.outputs, way.sharding.results, strict=True),
        *((specs[name].type, one) for name, one in way.sharding.parameters.items()),
    ]
    parted = [type_.axes[one.axis].factors[0] for type_, one in placed if isinstance(one, Shard)]
    # An operand that only provides sizes is given whole to an op that would infer others of a part.
    reads = case.op.reads(case.inputs, case.outputs)
    unread = (not any(row[k].atoms for row in reads) for k in range(len(case.inputs)))
    provides = any(isinstance(one, Shard) and no for one, no in zip(way.sharding.operands, unread, strict=True))
    # These take the number of features from their operand, which has all of them.
    by_table = case.op.name in ("learned_positions", "resized_positions") and bool(way.sharding.parameters)
    return bool(parted) and all(size.is_constant for size in parted) and not provides and not by_table


# The step of decoding is not split over ranks.
@pytest.mark.parametrize("name", sorted({*all_primitives()} - {"step_attention"}))
def test_an_op_on_a_rank_is_its_part(name: str) -> None:
    for case in CASES:
        for way in declared(case, RANKS) if case.op.name == name else ():
            if is_by_rank(case, way):
                check(case, way)


def check(case: Case, way: Way) -> None:
    """Compare types, parameters and values of each rank with parts of the whole."""
    rng, sharding = np.random.default_rng(0), way.sharding
    inputs, parameters = case.values(rng), case.parameters(rng)
    expected = case.op.reference(inputs, parameters, case.sizes)
    made = []
    for rank in range(RANKS):
        op = case.op.on_rank(case.inputs, sharding, RANKS, rank)
        types = [part_of_type(type_, one, RANKS) for type_, one in zip(case.inputs, sharding.operands, strict=True)]
        wanted = [part_of_type(type_, one, RANKS) for type_, one in zip(case.outputs, sharding.results, strict=True)]
        assert all(a.matches(b) for a, b in zip(op.infer(*types), wanted, strict=True)), (case, sharding)
        placed = {key: sharding.parameters.get(key, Copied()) for key in parameters}
        own = {key: part_of_parameter(parameters[key], one, rank, RANKS) for key, one in placed.items()}
        shapes = {key: case.shape(spec.type) for key, spec in op.parameters(*types).items()}
        assert shapes == {key: one.shape for key, one in own.items()}, (case, sharding)
        given = [part(x, one, rank) for x, one in zip(inputs, sharding.operands, strict=True)]
        made.append(op.reference(given, own, case.sizes))
    for whole, placement, *each in zip(expected, sharding.results, *made, strict=True):
        np.testing.assert_allclose(joined(each, placement), whole, rtol=1e-10, atol=1e-10, err_msg=f"{case} {sharding}")


def part(whole: np.ndarray, placement: Placement, rank: int) -> np.ndarray:
    """What a rank has of an operand; a term is all of it on the first rank."""
    return part_of_parameter(whole, placement, rank, RANKS)


def joined(each: list[np.ndarray], placement: Placement) -> np.ndarray:
    """The whole result."""
    if isinstance(placement, Shard):
        return np.concatenate(each[:: placement.copies], axis=placement.axis)
    return sum(each[1:], each[0]) if isinstance(placement, Partial) else each[0]
