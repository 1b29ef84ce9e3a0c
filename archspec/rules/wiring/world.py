"""A world: sizes of the dims and values of the controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import NamedTuple

from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.logical import Logical
from archspec.rules.terms import Term


class Tensor(NamedTuple):
    """Integers over coordinates, in row-major order."""

    shape: tuple[int, ...]
    items: tuple[int, ...]

    def at(self, index: tuple[int, ...]) -> int | None:
        """The item at an index; None for an index out of range."""
        place = 0
        for k, size in zip(index, self.shape, strict=True):
            if not 0 <= k < size:
                return None
            place = place * size + k
        return self.items[place]


class World:
    """Sizes of the dims and values of all inputs that are not floats; `given` overrides terms by one number."""

    def __init__(
        self, sizes: Mapping[str, int], inputs: Mapping[str, Tensor], given: Mapping[Term, int] | None = None
    ) -> None:
        self.sizes = sizes
        self.inputs = inputs
        self.given = {} if given is None else given
        self._known: dict[Term, Tensor] = {}

    def value(self, term: Term) -> Tensor:
        """The value of a term in this world."""
        if term not in self._known:
            self._known[term] = self._value(term)
        return self._known[term]

    def _value(self, term: Term) -> Tensor:
        """Compute a term from its operands; `given` has priority."""
        shape = tuple(size.value(self.sizes) for size in term.type.shape)
        if term in self.given:
            # A lower rule opens masks by their terms, whatever inputs they are computed from.
            return Tensor(shape, (self.given[term],) * prod(shape))
        if term.op is None:
            return self.inputs[term.text]
        operands = [self.value(operand) for operand in term.operands]
        if isinstance(term.op, Compare):
            number = term.op.number.evaluate(self.sizes)
            test = _COMPARISONS[term.op.kind]
            return Tensor(shape, tuple(int(test(x, number)) for x in operands[0].items))
        if isinstance(term.op, Logical) and all(operand.shape == shape for operand in operands):
            columns = zip(*(operand.items for operand in operands), strict=True)
            return Tensor(shape, tuple(int(_LOGIC[term.op.kind](column)) for column in columns))
        return self._by_reference(term, operands, shape)

    def _by_reference(self, term: Term, operands: list[Tensor], shape: tuple[int, ...]) -> Tensor:
        """A term computed by its op's NumPy reference."""
        import numpy as np

        assert term.op is not None
        arrays = []
        for operand, found in zip(term.operands, operands, strict=True):
            flat = tuple(size.value(self.sizes) for size in operand.type.shape)
            dtype = bool if operand.type.dtype == "bool" else np.int64
            arrays.append(np.asarray(found.items, dtype=dtype).reshape(flat))
        result = term.op.reference(arrays, {}, self.sizes)[term.output]
        return Tensor(shape, tuple(int(x) for x in result.reshape(-1)))


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
_LOGIC: Mapping[str, Callable[[tuple[int, ...]], bool]] = {
    "and": all,
    "or": any,
    "not": lambda items: not items[0],
}
