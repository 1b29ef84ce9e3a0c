"""The sequences that rows of a decoder are given: whole for the full forward, in parts for steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from archspec.algebra.dim import Dim, Symbol
from archspec.contract.sizes import all_masks
from archspec.masks.walk import leaves
from archspec.model.runner import Array, Arrays
from archspec.model.samples import draw, generate
from archspec.passes.incremental.incremental import Incremental
from archspec.record import record
from archspec.spec.claims import Claims
from archspec.spec.spec import Decode


@record(eq=False)
class Decoded:
    """A spec that decodes in steps: its claims, what is fed back, and the step graph."""

    claims: Claims
    decode: Decode
    found: Incremental

    @property
    def length(self) -> Symbol:
        """The dim of positions."""
        return self.found.length

    @cached_property
    def fed(self) -> Mapping[str, int]:
        """The axis of positions of each input that steps feed."""
        shapes = {name: list(one.type.shape) for name, one in self.claims.inputs.items()}
        own = Dim.of(self.length)
        return {name: shape.index(own) for name, shape in shapes.items() if own in shape}

    @cached_property
    def led(self) -> frozenset[str]:
        """The inputs whose first axis is the rows."""
        inputs = self.claims.inputs.items()
        return frozenset(name for name, one in inputs if one.type.shape[:1] == (self.found.rows,))

    @property
    def is_even(self) -> bool:
        """Whether rows advance together, because they share an input that steps feed."""
        return not self.led.issuperset(self.fed)

    def admitted(self, length: int) -> int:
        """The least number of positions that the full forward admits and that is at least `length`."""
        symbol = self.length
        return max(-(-length // symbol.multiple) * symbol.multiple, symbol.min)

    @cached_property
    def counts(self) -> frozenset[str]:
        """The inputs of one integer a row, which may be lengths of prefixes."""
        inputs = {name: self.claims.inputs[name].type for name in self.led - set(self.fed)}
        return frozenset(name for name, type_ in inputs.items() if type_.rank == 1 and type_.dtype.is_integer)

    def prefix(self, sizes: Mapping[str, int]) -> int:
        """The longest prefix whose length is a size; 0 where the first step need not cover one."""
        if not self.found.has_prefix:
            return 0
        opened = (leaf for mask in all_masks(self.claims) for leaf in leaves(mask) if leaf.opens_prefix)
        return max((size.value(sizes) for leaf in opened for size in leaf.sizes()), default=0)


@record(eq=False)
class Rows:
    """Rows of a decoder, each with one sequence after another: sequence n of row b is row b of the n-th inputs.

    Args:
        decoded: the spec.
        sizes: the sizes of all dims; that of positions is the length of every sequence.
        pattern: how bool inputs are arranged.
        seed: seed of the inputs.
    """

    decoded: Decoded
    sizes: Mapping[str, int]
    pattern: str
    seed: int

    @cached_property
    def count(self) -> int:
        """The number of rows."""
        return self.decoded.found.rows.value(self.sizes)

    @cached_property
    def first(self) -> int:
        """How many positions the first step of a row takes at least."""
        if not self.decoded.found.has_prefix:
            return 0
        return max(self.decoded.prefix(self.sizes), self.longest_prefix if self.decoded.counts else 0)

    @property
    def longest_prefix(self) -> int:
        """The most that a prefix whose length is an input covers: longer ones would leave nothing to be decoded."""
        return max(1, self.sizes[self.decoded.length.name] // 2)

    def given(self, numbers: Sequence[int]) -> dict[str, Array]:
        """The inputs that no step feeds, where row b is at its sequence `numbers[b]`."""
        found = {}
        for name, array in self._inputs(0).items():
            if name in self.decoded.fed:
                continue
            is_led = name in self.decoded.led
            own = [self._inputs(number)[name][row] for row, number in enumerate(numbers)] if is_led else []
            found[name] = np.stack(own) if own else array
        return found

    def chunk(self, numbers: Sequence[int], past: Sequence[int], counts: Sequence[int], seed: int) -> dict[str, Array]:
        """The inputs of a step: of each row its next `counts` positions, then random ones, as many as the longest."""
        decoded, new = self.decoded, max(counts)
        generator = np.random.default_rng(seed)
        sizes, found = {**self.sizes, decoded.length.name: new}, {}
        for name, axis in decoded.fed.items():
            drawn = draw(decoded.claims, decoded.claims.inputs[name], sizes, self.pattern, generator)
            for row, number in enumerate(numbers if name in decoded.led else numbers[:1]):
                own = self._inputs(number)[name]
                into, source = (drawn[row], own[row]) if name in decoded.led else (drawn, own)
                at = axis - (name in decoded.led)
                taken = source.take(range(past[row], past[row] + counts[row]), axis=at)
                into[(slice(None),) * at + (slice(counts[row]),)] = taken
            found[name] = drawn
        return found

    def alone(self, row: int, number: int, length: int) -> tuple[dict[str, Array], dict[str, int]]:
        """The inputs of the full forward of one row up to a length, or the least admitted one, and the sizes."""
        decoded, admitted = self.decoded, self.decoded.admitted(length)
        rows = self._least_rows()
        found = {}
        for name, array in self._inputs(number if decoded.led else 0).items():
            own = array if name in decoded.led else self._inputs(0)[name]
            # One row may be fewer than the batch admits: copies fill it up.
            own = np.repeat(own[row : row + 1], rows, axis=0) if name in decoded.led else own
            if name in decoded.fed:
                own = own.take(range(admitted), axis=decoded.fed[name])
            found[name] = own
        sizes = {**self.sizes, decoded.length.name: admitted}
        return found, {**sizes, **{symbol.name: rows for symbol in decoded.found.rows.symbols()}}

    def _least_rows(self) -> int:
        rows = self.decoded.found.rows
        symbols = rows.symbols()
        return rows.value({symbol.name: symbol.min for symbol in symbols}) if symbols else rows.value({})

    def _inputs(self, number: int) -> Arrays:
        while len(self._made) <= number:
            seed = self.seed + len(self._made)
            made = generate(self.decoded.claims, self.sizes, self.pattern, seed)
            if self.decoded.found.has_prefix:
                made |= {name: np.minimum(made[name], self.longest_prefix) for name in self.decoded.counts}
            self._made.append(made)
        return self._made[number]

    @cached_property
    def _made(self) -> list[Arrays]:
        return []
