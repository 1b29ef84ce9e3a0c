"""The interpreter against the same arithmetic written out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from archspec.algebra.dim import Symbol
from archspec.analyses.cost import cost
from archspec.analyses.parameters import expand, parameter_groups
from archspec.ir.builder import Builder
from archspec.ir.graph import Graph, Value
from archspec.ir.repeat import Schedule
from archspec.ir.types import DType, TensorType, axis
from archspec.ops.linear.linear import Linear
from archspec.oracle.interpreter import interpret
from archspec.oracle.sizes import sizes_of
from archspec.spec import load

BATCH = Symbol("batch", 1, 2, 4)


def stack(schedule: Schedule, bodies: int, *, shared: bool = False, wanted: Sequence[str] = ()) -> Graph:
    """Layers `x -> inner(x)`, where body k has an inner module with k + 1 linear maps, and a head that captures."""
    b = Builder("stack", frozenset(wanted))
    x = b.input("x", TensorType.of(DType.FLOAT, BATCH, 3))

    def body(count: int) -> object:
        def inner(x: Value) -> Value:
            for number in range(count):
                x = b.add(Linear(out=axis(3)), x, name=f"map{number}", result="x")
            return x

        return lambda x: b.call("inner", "Inner", inner, {"x": x})[0]

    made = [body(number + 1) for number in range(bodies)]
    y = b.repeat("layers", [f"Kind{n}" for n in range(bodies)], made, schedule, x, shared=shared)
    outputs = {"y": y, **{path: b.exposed[path] for path in wanted}}
    return b.finish(outputs)


def random_parameters(graph: Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {name: [d.value({}) for d in p.type.shape] for name, p in expand(graph).items()}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def by_hand(
    schedule: Sequence[int], parameters: dict[str, np.ndarray], x: np.ndarray, shared: bool
) -> list[np.ndarray]:
    states = []
    for layer, body in enumerate(schedule):
        holder = list(schedule).index(body) if shared else layer
        for number in range(body + 1):
            prefix = f"layers.{holder}.inner.map{number}"
            x = x @ parameters[f"{prefix}.weight"].T + parameters[f"{prefix}.bias"]
        states.append(x)
    return states


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("schedule", "layers"),
    [
        (Schedule.uniform(3), [0, 0, 0]),
        (Schedule(start=(1,), repeat=(0, 1), times=2, end=(0, 0)), [1, 0, 1, 0, 1, 0, 0]),
    ],
)
def test_repeats_run_their_schedule(schedule: Schedule, layers: list[int], shared: bool) -> None:
    wanted = ["layers.1", "layers.2.inner"]
    graph = stack(schedule, max(layers) + 1, shared=shared, wanted=wanted)
    parameters = random_parameters(graph)
    x = np.random.default_rng(1).normal(size=(2, 3))
    found = interpret(graph, {"x": x}, parameters)
    states = by_hand(layers, parameters, x, shared)
    np.testing.assert_allclose(found["y"], states[-1], rtol=1e-12)
    np.testing.assert_allclose(found["layers.1"], states[1], rtol=1e-12)
    np.testing.assert_allclose(found["layers.2.inner"], states[2], rtol=1e-12)


def test_parameters_are_counted_once_for_every_layer_that_holds_them() -> None:
    schedule = Schedule(start=(1,), repeat=(0, 1), times=2, end=(0, 0))
    for shared, maps in ((False, 3 * 2 + 4 * 1), (True, 2 + 1)):
        graph = stack(schedule, 2, shared=shared)
        assert cost(graph).parameters == maps * (9 + 3)
        assert cost(graph).flops.value({"batch": 5}) == (3 * 2 + 4 * 1) * 2 * 9 * 5
        assert len(expand(graph)) == maps * 2
        assert sum(group.count for group in parameter_groups(graph)) == maps * 2


def test_a_shape_that_does_not_fit_is_refused() -> None:
    graph = stack(Schedule.uniform(1), 1)
    with pytest.raises(ValueError, match=r"axis 1 of `x` has size 4, expected 3"):
        interpret(graph, {"x": np.zeros((2, 4))}, random_parameters(graph))


@pytest.mark.parametrize(("rows", "wrong"), [(64, None), (65, r"has size 65, expected 32\*rows = 64")])
def test_an_axis_of_a_multiple_of_a_dim_gives_its_size(rows: int, wrong: str | None) -> None:
    graph = load("detr-resnet-50", reduced=True).graph
    arrays = {"pixels": np.zeros((3, 3, rows, 32)), "valid": np.ones((3, rows, 32), dtype=bool)}
    if wrong is None:
        assert sizes_of(graph, arrays) == {"batch": 3, "rows": 2, "columns": 1}
        return
    with pytest.raises(ValueError, match=wrong):
        sizes_of(graph, arrays)
