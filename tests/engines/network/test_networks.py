"""Networks as a whole: how they are read, ordered, told apart and computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from archspec.contract import lowered
from archspec.contract.lowered import lookups, network_subject
from archspec.diagnostics import SpecError
from archspec.engines.network.determined import determined
from archspec.engines.network.digest import digest
from archspec.engines.network.execution import Execution
from archspec.engines.network.kinds import KINDS
from archspec.engines.network.layers import FUNCTIONS
from archspec.engines.network.plan import NetworkPlan
from tests.engines.network.building import Made, computed, normal, trt

SUM = trt.ElementWiseOperation.SUM


def refusal(raised: pytest.ExceptionInfo[SpecError]) -> tuple[str, str]:
    (found,) = raised.value.diagnostics
    return found.code, found.message


def test_every_known_kind_is_computed() -> None:
    assert set(FUNCTIONS) == set(KINDS)
    assert set(KINDS) <= set(trt.LayerType.__members__)


def test_an_unknown_kind_is_named_and_not_skipped() -> None:
    made = Made()
    layer = made.network.add_lrn(made.input(normal(1, 2, 3, 3), static=True), 3, 1.0, 1.0, 1.0)
    layer.name, layer.metadata = "blur", "[ONNX Layer: node_LRN_7]"
    with pytest.raises(SpecError) as raised:
        made.plan(layer.get_output(0))
    message = "the lrn layer `blur`, made from the node `node_LRN_7` cannot be computed here: unknown kind of layer"
    assert refusal(raised) == ("E620", message)


def test_what_is_random_is_refused() -> None:
    made = Made()
    layer = made.network.add_fill((2,), trt.FillOperation.RANDOM_UNIFORM, trt.float32)
    with pytest.raises(SpecError) as raised:
        made.run(layer.get_output(0))
    assert refusal(raised)[0] == "E620"
    assert "its operation `RANDOM_UNIFORM` is random" in refusal(raised)[1]


@pytest.mark.parametrize("index", [4, -5])
def test_an_index_out_of_range_names_the_layer(index: int) -> None:
    def build(net: Any, a: Any, b: Any) -> Any:
        layer = net.add_gather(a, b, 0)
        layer.name = "look_up"
        return layer

    with pytest.raises(SpecError) as raised:
        computed(build, normal(4, 2), np.array([0, index]))
    assert refusal(raised) == ("E621", "the gather layer `look_up` fails")
    assert "is out of range for an axis of size 4" in raised.value.diagnostics[0].notes[0]


def test_an_assertion_that_does_not_hold_fails() -> None:
    made = Made()
    x = made.input(np.array([1], dtype=np.int64), static=True)
    two = made.constant(np.array([2], dtype=np.int64))
    equal = made.network.add_elementwise(x, two, trt.ElementWiseOperation.EQUAL).get_output(0)
    made.network.add_assertion(equal, "sizes agree")
    plan = made.plan(made.network.add_identity(x).get_output(0))
    with pytest.raises(SpecError) as raised:
        Execution(plan).run(made.given)
    assert "it asserts: sizes agree" in refusal(raised)[1]


def test_layers_are_computed_after_those_that_they_read() -> None:
    made = Made()
    x = made.input(normal(3))
    first = made.network.add_shuffle(x)
    shape = made.constant(np.array([3, 1], dtype=np.int64))
    late = made.network.add_elementwise(shape, shape, trt.ElementWiseOperation.MAX)
    first.set_input(1, late.get_output(0))
    assert made.network.get_layer(0).name == first.name
    assert made.run(first.get_output(0))[0].shape == (3, 1)


def shifted(shift: float = 2.0, operation: Any = SUM) -> NetworkPlan:
    made = Made()
    constant = made.constant(np.full((1, 3), shift, dtype=np.float32))
    return made.plan(made.network.add_elementwise(made.input(normal(2, 3)), constant, operation).get_output(0))


def test_a_digest_tells_networks_apart() -> None:
    assert digest(shifted()) == digest(shifted())
    others = {digest(shifted(2.0000002)), digest(shifted(operation=trt.ElementWiseOperation.SUB))}
    assert len({digest(shifted()), *others}) == 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_computes_in_float32_and_rounds_each_result(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(64, 64, generator=generator).to(dtype) for _ in range(2))
    made = Made()
    kind = {torch.float16: trt.float16, torch.bfloat16: trt.bfloat16}[dtype]
    made.given["x0"] = x
    a = made.network.add_input("x0", kind, (-1, 64))
    weights = trt.Weights(kind.BF16 if dtype == torch.bfloat16 else kind, y.data_ptr(), y.numel())
    b = made.network.add_constant((64, 64), weights).get_output(0)
    none = trt.MatrixOperation.NONE
    product = made.network.add_matrix_multiply(a, none, b, none).get_output(0)
    total = made.network.add_elementwise(product, a, SUM).get_output(0)
    plan = made.plan(total)
    expected = ((x.float() @ y.float()).to(dtype).float() + x.float()).to(dtype)
    assert torch.equal(Execution(plan).run({"x0": x})["y0"], expected)
    exact = Execution(plan, "exact").run({"x0": x})["y0"]
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact, x.double() @ y.double() + x.double(), rtol=1e-12, atol=1e-12)


def test_a_convolution_in_bfloat16_without_a_bias() -> None:
    generator = torch.Generator().manual_seed(0)
    x, kernel = (torch.randn(*shape, generator=generator).bfloat16() for shape in ((2, 3, 5, 5), (4, 3, 2, 2)))
    made = Made()
    made.given["x0"] = x
    weights = trt.Weights(trt.bfloat16, kernel.data_ptr(), kernel.numel())
    layer = made.network.add_convolution_nd(made.network.add_input("x0", trt.bfloat16, x.shape), 4, (2, 2), weights)
    found = Execution(made.plan(layer.get_output(0))).run({"x0": x})["y0"]
    assert torch.equal(found, torch.nn.functional.conv2d(x.float(), kernel.float()).bfloat16())


def test_what_shapes_determine_is_kept_and_what_values_do_is_not() -> None:
    made = Made()
    x = made.input(normal(2, 3))
    sizes = made.network.add_shape(x).get_output(0)
    twice = made.network.add_elementwise(sizes, sizes, SUM).get_output(0)
    doubled = made.network.add_elementwise(x, x, SUM).get_output(0)
    plan = made.plan(twice, doubled)
    kinds = [plan.steps[place].kind for place in sorted(determined(plan))]
    assert kinds == ["SHAPE", "ELEMENTWISE"]
    execution = Execution(plan)
    for given in (torch.ones(2, 3), torch.zeros(2, 3), torch.ones(5, 1)):
        found = execution.run({"x0": given})
        assert torch.equal(found["y1"], 2 * given)
        assert found["y0"].tolist() == [2 * size for size in given.shape]


def test_sizes_that_come_from_values_are_not_kept() -> None:
    made = Made()
    x = made.input(np.array([0.0, 1.0, 1.0], dtype=np.float32))
    places = made.network.add_non_zero(x).get_output(0)
    plan = made.plan(made.network.add_shape(places).get_output(0))
    execution = Execution(plan)
    assert execution.run({"x0": torch.tensor([0.0, 1.0, 1.0])})["y0"].tolist() == [1, 2]
    assert execution.run({"x0": torch.tensor([0.0, 0.0, 1.0])})["y0"].tolist() == [1, 1]


@pytest.mark.parametrize("large", [0, 10**9])
def test_gradients_reach_ids_through_what_they_look_up(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowered, "_LARGE", large)
    made = Made()
    table = made.constant(normal(7, 4))
    ids = made.input(np.array([[0, 3, 5]], dtype=np.int64))
    rows = made.network.add_gather(table, made.network.add_cast(ids, trt.int32).get_output(0), 0).get_output(0)
    first = made.network.add_slice(rows, (0, 0, 0), (1, 2, 4), (1, 1, 1)).get_output(0)
    total = made.network.add_reduce(first, trt.ReduceOperation.SUM, 0b10, True).get_output(0)
    plan = made.plan(total)
    assert [step.kind for step in lookups(plan, "x0")] == ["GATHER"]
    (gradients,) = network_subject("sum", plan).gradients
    arrays = {"x0": np.array([[0, 3, 5]], dtype=np.int64)}
    found = gradients.dependence(arrays, ("x0", (1,)), ("y0", (1,)), 0)
    assert found.tolist() == [[True, True, False]]
