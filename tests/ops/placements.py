"""All ways in which the emitted code of a case runs on two parts, found by trying every placement."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

from archspec.ir.op import ParameterSpec
from archspec.ir.placement import Copied, Partial, Placement, Shard, Sharding
from archspec.ir.types import DType, TensorType
from tests.ops.case import Case
from tests.ops.parted import AsNumbers, AsShapes, Trial, Way, source_of, trains_otherwise

RANKS = 2
# What is raised for parts that do not fit together.
_REFUSALS = (RuntimeError, IndexError, ValueError, TypeError)

Key = tuple[tuple[Placement, ...], tuple[Placement, ...], tuple[tuple[str, Placement], ...]]
"""Placements of operands, of results, and of all parameters by name."""
Parts = tuple[Placement, Sequence[Tensor]]
"""A placement, and what each rank has then."""


def key(case: Case, sharding: Sharding) -> Key:
    """The placements of a sharding."""
    names = case.op.parameters(*case.inputs)
    return sharding.operands, sharding.results, tuple((n, sharding.parameters.get(n, Copied())) for n in names)


def is_whole(found: Key) -> bool:
    """Whether nothing is parted, which holds for every op."""
    return {*found[0], *found[1], *(one for _, one in found[2])} == {Copied()}


def count(case: Case) -> int:
    """How many placements of operands and parameters there are."""
    specs = case.op.parameters(*case.inputs).values()
    numbers = [len(_of_operand(case, type_)) for type_ in case.inputs]
    return prod([*numbers, *(len(_of_parameter(case, spec)) for spec in specs)])


def found(case: Case) -> set[Key]:
    """The ways that hold, but for that with everything whole."""
    seed = zlib.crc32(str(case).encode())
    # What is found is tried with other values, of data often enough that all of it matters once, and in training.
    carries_data = any(type_.dtype is not DType.FLOAT for type_ in case.inputs)
    trials = [Trial(case, seed)]
    for number in range(1, 9 if carries_data else 3):
        trials.append(Trial(case, seed + number, AsShapes if number % 2 else AsNumbers))
    if trains_otherwise(case):
        trials.append(Trial(case, seed, training=True))
    ways = (
        one for one in _tried(trials[0]) if not _cuts_sizes(case, one) and all(_holds(trial, one) for trial in trials)
    )
    return {one for one in (key(case, way.sharding) for way in ways) if not is_whole(one)}


def _holds(trial: Trial, way: Way) -> bool:
    try:
        return trial.wrong(way) == ""
    except _REFUSALS:
        return False


def _cuts_sizes(case: Case, way: Way) -> bool:
    """Whether the emitted code has a size in it that may be read off an operand which is parted there."""
    _, symbols = source_of(case, AsNumbers)
    parted = [
        type_.shape[one.axis]
        for type_, one in zip(case.inputs, way.sharding.operands, strict=True)
        if isinstance(one, Shard)
    ]
    return any(symbol.name in symbols for size in parted for symbol in size.symbols())


def _of_operand(case: Case, type_: TensorType) -> list[Placement]:
    """Where an operand may be: whole, parted along an axis that two ranks divide, or in terms."""
    factors = [axis.factors[0].value(case.sizes) for axis in type_.axes]
    axes = [Shard(axis) for axis, size in enumerate(factors) if size % RANKS == 0]
    return [Copied(), *axes, *([Partial()] if type_.dtype is DType.FLOAT else [])]


def _of_parameter(case: Case, spec: ParameterSpec) -> list[Placement]:
    """Where a parameter may be; in terms only what is added, or looked up by an op that reads no other number."""
    numbers = any(
        type_.dtype is DType.FLOAT and relation.atoms
        for row in case.op.reads(case.inputs, case.outputs)
        for type_, relation in zip(case.inputs, row, strict=True)
    )
    places = _of_operand(case, spec.type)
    return [one for one in places if one != Partial() or spec.role in ("bias", "mean") or not numbers]


def _tried(trial: Trial) -> Iterator[Way]:
    """The ways whose results are right for one draw of values."""
    case, whole = trial.case, trial.whole
    operands = [
        [(one, _parts(x, one, trial.terms(x, RANKS))) for one in _of_operand(case, type_)]
        for x, type_ in zip(whole.operands, case.inputs, strict=True)
    ]
    specs = case.op.parameters(*case.inputs)
    parameters = [
        [
            (one, _parts(whole.parameters[name], one, [whole.parameters[name], 0 * whole.parameters[name]]))
            for one in _of_parameter(case, spec)
        ]
        for name, spec in specs.items()
    ]
    source, _ = source_of(case, AsNumbers)
    is_shared = "shared(" in source
    hints = [Copied(), *(Shard(axis) for axis in range(case.outputs[0].rank) if is_shared)]
    for hint, *chosen in product(hints, *operands, *parameters):
        first, second = chosen[: len(operands)], dict(zip(specs, chosen[len(operands) :], strict=True))
        for results in _results(trial, hint, first, second):
            places = {name: one for name, (one, _) in second.items() if one != Copied()}
            sharding = Sharding(operands=tuple(one for one, _ in first), results=results, parameters=places)
            if not is_shared or (results[0] == hint) == isinstance(hint, Shard):
                yield Way(sharding, RANKS)


def _parts(x: Tensor, placement: Placement, terms: Sequence[Tensor]) -> Sequence[Tensor]:
    if isinstance(placement, Shard):
        return x.chunk(RANKS, dim=placement.axis)
    return terms if isinstance(placement, Partial) else [x] * RANKS


def _results(
    trial: Trial, hint: Placement, operands: Sequence[Parts], parameters: Mapping[str, Parts]
) -> Iterator[tuple[Placement, ...]]:
    """Where the results are for these placements of operands and parameters; nothing if they do not fit together."""
    shared = Way(Sharding(operands=(), results=(hint,)), RANKS)
    try:
        with torch.no_grad():
            ranks = [
                trial.function(
                    [x[rank] for _, x in operands], {n: x[rank].clone() for n, (_, x) in parameters.items()}, shared
                )
                for rank in range(RANKS)
            ]
    except _REFUSALS:
        return
    holding = []
    for number, (y, type_) in enumerate(zip(trial.expected.results, trial.case.outputs, strict=True)):
        places = _of_operand(trial.case, type_)
        holding.append([one for one in places if shared.holds(y, [rank[number] for rank in ranks], one)])
    yield from product(*holding)
