"""Inputs drawn again with nothing hidden, and what picks a position in turn at every one: numbers, and last valids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from archspec.contract.chosen import Chosen
from archspec.contract.counted import hiding
from archspec.ir.graph import Value
from archspec.ir.op import Primitive
from archspec.ir.types import DType
from archspec.model.ports import shape_at
from archspec.model.runner import Arrays
from archspec.model.samples import OPEN, bounds, generate
from archspec.spec import InputSpec, Rule
from archspec.spec.claims import Claims

# Draws for each position where the picked one is computed from data: more than enough to pick each once.
_PER_POSITION = 4


def turns(claims: Claims, rule: Rule, sizes: Mapping[str, int]) -> int:
    """The number of `turned` inputs with which every position is picked; 0 where no data picks any."""
    found = [0]
    for given in _numbers(claims, rule):
        low, high = bounds(claims, given, sizes)
        found.append(-(-(high - low) // max(1, prod(shape_at(given, sizes)))))
    found.extend(_PER_POSITION * size for size in _picked(claims, sizes))
    found.append(_chosen(claims, rule, sizes).turns())
    return max(found)


def turned(
    claims: Claims, rule: Rule, arrays: Arrays, sizes: Mapping[str, int], turn: int, seed: int
) -> dict[str, np.ndarray]:
    """Other inputs with nothing hidden.

    Args:
        claims: declared inputs.
        rule: a lower rule; inputs that its mask reads keep their values, as bools do that decide nothing else.
        arrays: the inputs to keep these from.
        sizes: the size of each dim.
        turn: which values the numbers of single rows take, and where bools that decide what is read are true.
        seed: seed of the others.
    """
    drawn = generate(claims, sizes, OPEN, seed, hiding(claims))
    for given in _numbers(claims, rule):
        low, high = bounds(claims, given, sizes)
        shape = shape_at(given, sizes)
        values = low + (turn * prod(shape) + np.arange(prod(shape))) % max(1, high - low)
        drawn[given.name] = values.reshape(shape).astype(given.type.dtype.value)
    kept = {name for name, given in claims.inputs.items() if given.type.dtype is DType.BOOL} | _read(rule)
    drawn |= {name: arrays[name] for name in kept}
    return drawn | _chosen(claims, rule, sizes).arrays(drawn, turn)


def _chosen(claims: Claims, rule: Rule, sizes: Mapping[str, int]) -> Chosen:
    """The inputs that decide what is read, except for those that the mask reads."""
    return Chosen(claims=claims, sizes=sizes, kept=frozenset(_read(rule)))


def _numbers(claims: Claims, rule: Rule) -> Iterator[InputSpec]:
    """The integer inputs with a number for each row, which may pick a position, but for those that the mask reads."""
    read = _read(rule)
    for name, given in claims.inputs.items():
        if given.type.dtype.is_integer and given.type.rank <= 1 and name not in read and name != rule.input.name:
            yield given


def _read(rule: Rule) -> set[str]:
    """Names of the inputs that the mask of a rule reads."""
    return {name for control in rule.controls for name in _sources(control)}


def _sources(value: Value) -> Iterator[str]:
    """Names of the inputs that a value is computed from, with repeats."""
    if value.producer is None:
        yield value.name
    else:
        for operand in value.producer.inputs:
            yield from _sources(operand)


def _picked(claims: Claims, sizes: Mapping[str, int]) -> Iterator[int]:
    """The numbers of positions among which values computed from data pick one."""
    for node in claims.spec.graph.walk() if claims.spec is not None else ():
        if isinstance(node.op, Primitive) and node.op.reads_more:
            for operand, size in node.op.indexes([value.type for value in node.inputs]).items():
                if node.inputs[operand].producer is not None:
                    yield size.value(sizes)
