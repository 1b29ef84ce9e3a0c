"""The quick proof of independence against boolean matrices, and what it must not prove."""

from __future__ import annotations

import random

import pytest

from archspec.algebra.dim import Dim
from archspec.ir.builder import Builder
from archspec.ir.graph import Graph
from archspec.ir.op import Op
from archspec.ir.repeat import Schedule
from archspec.ir.types import DType, TensorType
from archspec.ops.elementwise.unary import Unary
from archspec.ops.norm.l2_normalize import L2Normalize
from archspec.ops.shape.transpose import Transpose
from archspec.rules.flow import Dependence
from archspec.rules.independence import independence
from archspec.rules.reads import Reads
from archspec.rules.rows import keeps_rows
from tests.rules.brute import Brute, random_inputs
from tests.rules.random_graphs import BATCH, N, random_graph, random_sizes


def test_where_rows_are_kept_no_example_reads_another() -> None:
    kept = 0
    for seed in range(60):
        r, graph = random.Random(seed), random_graph(seed)
        if not keeps_rows(graph, Reads(graph), Dim.of(BATCH)):
            continue
        led = [value for value in graph.inputs if value.type.shape[0] == Dim.of(BATCH)]
        sizes = {**random_sizes(r), "batch": 2}
        for state in Brute(graph, random_inputs(graph, r, sizes), sizes).states:
            for matrix in (state.reads[value.name] for value in led if value.name in state.reads):
                rows, columns = (n // 2 for n in matrix.shape)
                assert not matrix[:rows, columns:].any()
                assert not matrix[rows:, :columns].any()
                kept += 1
    assert kept > 100


def of_ops(*ops: Op, layers: bool = False) -> Graph:
    b = Builder("ops")
    x = b.input("x", TensorType.of(DType.FLOAT, BATCH, N, 2))

    def body(y):
        for op in ops:
            y = b.add(op, y)
        return y

    y = b.repeat("layers", ("Layer",), (body,), Schedule.uniform(3), x) if layers else body(x)
    return b.finish({"y": y})


@pytest.mark.parametrize("layers", [False, True])
def test_mixing_is_not_proved(layers: bool) -> None:
    graph = of_ops(Unary(kind="exp"), L2Normalize(axis=0, eps=1e-6), layers=layers)
    dependence, (rule,) = Dependence(graph), independence(graph)
    assert not keeps_rows(graph, dependence.reads, rule.size)
    assert not any(pair.proved(dependence) for pair in rule.pairs)


def test_a_dim_that_is_carried_elsewhere_is_proved_by_its_relations() -> None:
    """Transposed there and back: the quick proof gives up, the relations do not."""
    there = Transpose(order=(1, 0, 2))
    graph = of_ops(there, Unary(kind="exp"), there)
    dependence, (rule,) = Dependence(graph), independence(graph)
    assert not keeps_rows(graph, dependence.reads, rule.size)
    assert all(pair.proved(dependence) for pair in rule.pairs)
