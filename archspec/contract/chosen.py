"""Inputs whose truth decides which positions are read, such as `valid` of a pool that takes the last valid position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from math import prod

import numpy as np

from archspec.contract.redraw import keeps
from archspec.ir.op import Primitive
from archspec.ir.types import DType
from archspec.model.ports import shape_at
from archspec.model.runner import Array
from archspec.model.samples import bounds
from archspec.ops.elementwise.compare import Compare
from archspec.record import record
from archspec.rules.terms import Term, Terms
from archspec.spec import InputSpec, Spec
from archspec.spec.claims import Claims

_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1))


@record(eq=False)
class Chosen:
    """The inputs that decide what is read: each is made true, and then false, from every position on.

    Args:
        claims: declared inputs. Without a graph, every bool input may decide.
        sizes: the size of each dim.
        kept: names of inputs that keep their values.
    """

    claims: Claims
    sizes: Mapping[str, int]
    kept: frozenset[str]

    def turns(self) -> int:
        """The number of turns after which every position was the last true one of every input; 0 if there are none."""
        return self._cycle * 2 * max((len(values) for _, values in self._inputs), default=0)

    def arrays(self, drawn: Mapping[str, Array], turn: int) -> dict[str, Array]:
        """The inputs that decide, at one turn; one whose promises this would break keeps what was drawn."""
        found = {}
        variant, step = divmod(turn, self._cycle) if self._cycle else (0, 0)
        for order, (given, values) in enumerate(self._inputs):
            # Several inputs are open up to the same position, or each up to another one.
            is_open = self._is_open(given, step, order if variant % 2 else 0)
            made = np.where(is_open, *values[variant // 2 % len(values)]).astype(given.type.dtype.value)
            found[given.name] = made if keeps(given, made) else drawn[given.name]
        return found

    @cached_property
    def _inputs(self) -> tuple[tuple[InputSpec, tuple[tuple[int, int], ...]], ...]:
        """Each input that decides, with pairs of values at its open positions and at the others, taken in turn."""
        numbers = _compared(self.claims.spec, self.sizes) if self.claims.spec is not None else {}
        found = list[tuple[InputSpec, tuple[tuple[int, int], ...]]]()
        for name, given in self.claims.inputs.items():
            if name in self.kept:
                continue
            if given.type.dtype is DType.BOOL and (self.claims.spec is None or name in numbers):
                found.append((given, ((True, False),)))
            elif given.type.dtype.is_integer and given.type.rank > 1:
                low, high = bounds(self.claims, given, self.sizes)
                # One of these pairs makes a comparison with n true and then false, whatever its sign.
                pairs = [(n + a, n + b) for n in sorted(numbers.get(name, ())) for a, b in _AROUND]
                pairs = [pair for pair in pairs if low <= min(pair) and max(pair) < high]
                found.extend([(given, tuple(pairs))] if pairs else [])
        return tuple(found)

    @cached_property
    def _cycle(self) -> int:
        """The number of turns in which the rows of every input take every number of open positions."""
        rows = [_rows(given, self.sizes) for given, _ in self._inputs]
        return max((-(-(length + 1) // max(1, count)) for count, length in rows), default=0)

    def _is_open(self, given: InputSpec, step: int, order: int) -> Array:
        """Where an input is open: the first positions, or the last ones if it is padded at the left."""
        rows, length = _rows(given, self.sizes)
        counts = step * rows + np.arange(rows) + order * (length // 2)
        # A promise of padding on one side needs a position in every row that is no padding.
        counts = counts % (length + 1) if given.padding == "any" else 1 + counts % max(1, length)
        is_open: Array = np.arange(length) < counts[:, None]
        is_open = is_open[:, ::-1] if given.padding == "left" else is_open
        return is_open.reshape(shape_at(given, self.sizes))


def _rows(given: InputSpec, sizes: Mapping[str, int]) -> tuple[int, int]:
    """The number of rows of an input, and the number of positions of a row; an input of one axis has one a row."""
    shape = shape_at(given, sizes)
    return (prod(shape[:-1]), shape[-1]) if len(shape) > 1 else (prod(shape), 1)


def _compared(spec: Spec, sizes: Mapping[str, int]) -> dict[str, set[int]]:
    """The inputs that operands which choose are computed from, each with the numbers that it is compared with."""
    terms, found = Terms(spec.graph), dict[str, set[int]]()
    for node in spec.graph.walk():
        for operand in node.op.choosing if isinstance(node.op, Primitive) else ():
            term = terms.of(node.inputs[operand])
            for part in _parts(term) if term is not None else ():
                if part.op is None:
                    found.setdefault(part.text, set())
                elif isinstance(part.op, Compare) and part.operands[0].op is None:
                    found.setdefault(part.operands[0].text, set()).add(round(part.op.number.evaluate(sizes)))
    return found


def _parts(term: Term) -> Iterator[Term]:
    """A term and all that it is computed from."""
    yield term
    for operand in term.operands:
        yield from _parts(operand)
