"""An op that says it runs on some positions as on all gives moved results for operands that are moved along them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.types import TensorType
from archspec.ops.position.learned_positions import LearnedPositions
from archspec.ops.registry import all_primitives
from archspec.passes.incremental.reach import same
from tests.ops.case import BATCH, HEIGHT, SRC, TGT, Case, all_cases, floats


def coordinates(type_: TensorType, symbol: Symbol) -> list[int]:
    return [number for number, size in enumerate(type_.space) if size == Dim.of(symbol)]


def runs_along(case: Case, symbol: Symbol) -> bool:
    """Whether every operand with the dim is read at the result's own position along it."""
    rows = case.op.reads(case.inputs, case.outputs)
    fed = [any(symbol in size.symbols() for size in type_.space) for type_ in case.inputs]
    own = [coordinates(type_, symbol) for type_ in case.outputs]
    return any(fed) and all(
        all(any(same(relation, o, i) for o in out) for i in coordinates(type_, symbol)) and coordinates(type_, symbol)
        for row, out in zip(rows, own, strict=True)
        for relation, type_, has in zip(row, case.inputs, fed, strict=True)
        if has
    )


def moved(case: Case, type_: TensorType, array: np.ndarray, symbol: Symbol, order: np.ndarray) -> np.ndarray:
    """The array with its positions along the dim in another order."""
    parts = array.reshape(case.factors(type_))
    for axis in coordinates(type_, symbol):
        parts = parts.take(order, axis=axis)
    return parts.reshape(array.shape)


def pairs() -> Iterator[tuple[Case, Symbol]]:
    for case in all_cases():
        for symbol in (BATCH, SRC, TGT, HEIGHT):
            if case.op.anywhere and runs_along(case, symbol):
                yield case, symbol


PAIRS = list(pairs())


def holds(case: Case, symbol: Symbol) -> bool:
    rng = np.random.default_rng(zlib.crc32(str(case).encode()))
    order = np.roll(np.arange(case.sizes[symbol.name]), 1)
    parameters, values = case.parameters(rng), case.values(rng)
    found = case.op.reference(
        [moved(case, type_, x, symbol, order) for type_, x in zip(case.inputs, values, strict=True)],
        parameters,
        case.sizes,
    )
    wanted = case.op.reference(values, parameters, case.sizes)
    triples = zip(case.outputs, found, wanted, strict=True)
    return all(np.allclose(x, moved(case, type_, y, symbol, order)) for type_, x, y in triples)


@pytest.mark.parametrize(("case", "symbol"), PAIRS, ids=str)
def test_results_move_with_the_operands(case: Case, symbol: Symbol) -> None:
    assert holds(case, symbol)


def test_most_ops_run_anywhere_and_are_tried() -> None:
    said = {name for name, op in all_primitives().items() if op.anywhere}
    assert len(said) >= 30
    assert said - {case.op.name for case, _ in PAIRS} <= {"constant", "learned"}


def test_an_op_that_counts_positions_is_found() -> None:
    class Wrong(LearnedPositions):
        anywhere = True

        def reads(self, inputs, outputs):  # type: ignore[no-untyped-def]
            return (LearnedPositions(rows=self.rows, ids=True).reads((inputs[0], inputs[0]), outputs)[0][1:],)

    case = Case(op=Wrong(rows=Dim.of(6)), inputs=(floats(SRC, 4),))
    assert not holds(case, SRC)
