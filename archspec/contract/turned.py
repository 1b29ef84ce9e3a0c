"""Inputs drawn again with nothing hidden, and what picks a position in turn at every one: numbers, and last valids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
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
from archspec.record import record
from archspec.spec import InputSpec, Rule
from archspec.spec.claims import Claims

# Draws for each position where the picked one is computed from data: more than enough to pick each once.
_PER_POSITION = 4


@record(eq=False)
class Turned:
    """Other inputs for a lower rule, with nothing hidden, numbered by turns.

    Args:
        claims: declared inputs.
        rule: the rule; inputs that its mask reads keep their values, as bools do that decide nothing else.
        sizes: the size of each dim.
    """

    claims: Claims
    rule: Rule
    sizes: Mapping[str, int]

    @cached_property
    def count(self) -> int:
        """The number of turns with which every position is picked; 0 where no data picks any."""
        found = [0]
        for given in self._numbers:
            low, high = bounds(self.claims, given, self.sizes)
            found.append(-(-(high - low) // max(1, prod(shape_at(given, self.sizes)))))
        found.extend(_PER_POSITION * size for size in _picked(self.claims, self.sizes))
        found.append(self._chosen.turns())
        return max(found)

    def arrays(self, base: Arrays, turn: int, seed: int) -> dict[str, np.ndarray]:
        """The inputs of one turn.

        Args:
            base: the inputs from which those that keep their values are taken.
            turn: which values the numbers of single rows take, and where bools that decide what is read are true.
            seed: seed of the others.
        """
        drawn = generate(self.claims, self.sizes, OPEN, seed, hiding(self.claims))
        for given in self._numbers:
            low, high = bounds(self.claims, given, self.sizes)
            shape = shape_at(given, self.sizes)
            values = low + (turn * prod(shape) + np.arange(prod(shape))) % max(1, high - low)
            drawn[given.name] = values.reshape(shape).astype(given.type.dtype.value)
        kept = {name for name, given in self.claims.inputs.items() if given.type.dtype is DType.BOOL} | _read(self.rule)
        drawn |= {name: base[name] for name in kept}
        return drawn | self._chosen.arrays(drawn, turn)

    @cached_property
    def _chosen(self) -> Chosen:
        """The inputs that decide what is read, except for those that the mask reads."""
        return Chosen(claims=self.claims, sizes=self.sizes, kept=frozenset(_read(self.rule)))

    @cached_property
    def _numbers(self) -> tuple[InputSpec, ...]:
        """The integer inputs with a number for each row, which may pick a position; not those that the mask reads."""
        left_out = {*_read(self.rule), self.rule.input.name}
        given = (one for name, one in self.claims.inputs.items() if name not in left_out)
        return tuple(one for one in given if one.type.dtype.is_integer and one.type.rank <= 1)


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
