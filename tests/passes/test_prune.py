"""Pruning drops what nothing reads, and nothing else."""

from __future__ import annotations

from archspec.ir.graph import Value
from archspec.ir.printer import print_graph
from archspec.ir.repeat import Schedule
from archspec.ir.types import DType, TensorType, axis
from archspec.ops.elementwise.activation import Activation
from archspec.ops.linear.linear import Linear
from archspec.passes.prune import Prune
from tests.lower.graphs import BATCH, SRC, start

GIVEN = """\
graph made (%x: float[batch, src, 8], %other: float[batch, src, 8]) {
  %0 = activation(%other) {kind=relu} : float[batch, src, 8]
  %inner = call(%x, %0) @inner {kind=Inner, module=inner} : float[batch, src, 8] {
    0: Inner (%x: float[batch, src, 8], %unused: float[batch, src, 8])
      %0 = linear(%x) @map {out=8} [weight: float[8, 8], bias: float[8]] : float[batch, src, 8]
      %1 = activation(%unused) {kind=tanh} : float[batch, src, 8]
      return %0
  }
  return %inner as y
}
"""
RESULT = """\
graph made (%x: float[batch, src, 8], %other: float[batch, src, 8]) {
  %inner = call(%x) @inner {kind=Inner, module=inner} : float[batch, src, 8] {
    0: Inner (%x: float[batch, src, 8])
      %0 = linear(%x) @map {out=8} [weight: float[8, 8], bias: float[8]] : float[batch, src, 8]
      return %0
  }
  return %inner as y
}
"""


def test_unused_operands_and_nodes_go() -> None:
    b, x = start()
    other = b.input("other", TensorType.of(DType.FLOAT, BATCH, SRC, 8))

    def inner(x: Value, unused: Value) -> Value:
        y = b.add(Linear(out=axis(8)), x, name="map")
        b.add(Activation(kind="tanh"), unused)
        return y

    made = b.add(Activation(kind="relu"), other)
    graph = b.finish({"y": b.call("inner", "Inner", inner, {"x": x, "unused": made})[0]})
    assert print_graph(graph) == GIVEN
    result = Prune().run(graph)
    assert result.modified
    assert print_graph(result.graph) == RESULT
    assert not Prune().run(result.graph).modified


def test_state_stays_though_nothing_reads_it() -> None:
    b, x = start()
    b.add(Linear(out=axis(8)), x, name="unread")
    assert not Prune().run(b.finish({"y": x})).modified


def test_carried_values_stay_and_kinds_keep_one_signature() -> None:
    b, x = start()
    both = [b.input(name, TensorType.of(DType.FLOAT, BATCH, SRC, 8)) for name in ("one", "two")]

    def layer(read: Value, dropped: Value) -> object:
        def body(x: Value) -> Value:
            b.add(Activation(kind="tanh"), dropped)
            return b.add(Activation(kind="relu"), read)

        return body

    bodies = (layer(both[0], both[1]), layer(both[0], both[0]))
    schedule = Schedule(repeat=(0, 1), times=2)
    y = b.repeat("layers", ("One", "Two"), bodies, schedule, x)
    (node,) = Prune().run(b.finish({"y": y})).graph.nodes
    assert [value.name for value in node.inputs] == ["x", "one"]
    assert all(len(region.inputs) == 2 for region in node.regions)
