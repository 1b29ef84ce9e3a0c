"""Products that read rounded values: what graph and module compute, that rules hold, and that a value has one scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from archspec.analyses.parameters import expand
from archspec.checking.checks import accepted, check
from archspec.contract.difference import difference
from archspec.diagnostics import SpecError
from archspec.engines.module import named_arguments, named_outputs
from archspec.layouts.parameters import shape_of
from archspec.lower import emit
from archspec.lower.modules import class_in
from archspec.lower.step_programs import step_programs
from archspec.model.ports import interface_of
from archspec.model.runner import Array
from archspec.model.samples import sample
from archspec.model.sizes import odd
from archspec.ops.elementwise.rounded import Grid
from archspec.oracle.interpreter import interpret
from archspec.passes.round_operands import RoundOperands, products, readers, rounds
from archspec.quantising.activations import grids_of, read_grids
from archspec.quantising.plan import plan_of, read_wishes
from archspec.quantising.spec import quantised
from archspec.spec import Spec, load
from tests.mutation.shipped import REPRESENTATIVES, SHIPPED

TWO = """\
archspec: 1
name: two
dims: {batch: [1, 2, 8]}
inputs: {x: "float[batch, 8]"}
graph:
  hidden: {block: linear, input: x, dim: 6}
  left: {block: linear, input: hidden, dim: 4}
  right: {block: linear, input: hidden, dim: 5}
outputs: {left: "float[batch, 4]", right: "float[batch, 5]"}
"""


def every(spec: Spec, grid: Grid) -> Spec:
    return quantised(spec, {}, grids_of(spec.graph, read_grids([grid])))


def drawn(spec: Spec, rng: np.random.Generator) -> dict[str, Array]:
    """Random parameters with scales that cut off what is large."""
    found: dict[str, Array] = {}
    for name, one in expand(spec.graph).items():
        shape = shape_of(one.type)
        values = np.abs(rng.normal(size=shape)) if "running" in name else 0.2 * rng.normal(size=shape)
        values = 0.005 + 0.02 * rng.random(shape) if one.calibrated or name.endswith("_scale") else values
        found[name] = np.asarray(values, dtype=np.float32)
        if one.stored is not None:
            found[name] = rng.integers(-100, 101, shape).astype(np.float32)
    return found


@pytest.mark.parametrize("name", [name for name in SHIPPED if name in REPRESENTATIVES])
def test_modules_compute_what_the_interpreter_does(name: str) -> None:
    spec = load(name, reduced=True)
    made = quantised(spec, plan_of(spec.graph, read_wishes(["fp8"])), grids_of(spec.graph, read_grids(["int8"])))
    checked = accepted(made)
    # In float64, no number is so near the middle of two that it goes to the other one.
    module = class_in(emit(checked), made.name)().eval()
    own = module.state_dict()
    stored = {
        key: torch.from_numpy(one).to(own[key].dtype) for key, one in drawn(made, np.random.default_rng(0)).items()
    }
    module.load_state_dict(stored)
    interface = interface_of(made)
    sizes = odd(interface.symbols)
    inputs = sample(interface, sizes, 1)
    tensors = [torch.from_numpy(inputs[port.name]) for port in interface.input_ports]
    with torch.inference_mode():
        wide = [one.double() if one.is_floating_point() else one for one in tensors]
        found = named_outputs(module.double()(**named_arguments(module, wide)), list(interface.outputs))
    floats = {key: one.float().numpy() if one.is_floating_point() else one.numpy() for key, one in stored.items()}
    for output, wanted in interpret(made.graph, inputs, floats, sizes).items():
        assert difference(found[output].numpy(), wanted).share() < 1e-8
    assert (step_programs(checked) is not None) == (made.decode is not None)


def test_a_value_that_two_products_read_is_rounded_once_and_the_formula_is_that_of_the_engines(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO)
    spec = load(tmp_path / "two.yaml")
    made = every(spec, "int8").graph
    parameters = drawn(every(spec, "int8"), np.random.default_rng(0))
    assert {name for name in parameters if name.endswith("scale")} == {"hidden_input.scale", "left_input.scale"}
    assert readers(made) == {
        "hidden": "hidden_input.scale",
        "left": "left_input.scale",
        "right": "left_input.scale",
    }
    x = np.random.default_rng(1).normal(size=(3, 8))

    def product(x: Array, name: str, scale: str) -> Array:
        step = float(parameters[f"{scale}.scale"])
        # By sorting every number to the nearest of the grid, the even one at a tie.
        whole = np.array([[min(range(-128, 128), key=lambda n: (abs(v / step - n), n % 2)) for v in row] for row in x])
        return (whole * step) @ parameters[f"{name}.weight"].T + parameters[f"{name}.bias"]

    hidden = product(x, "hidden", "hidden_input")
    found = interpret(made, {"x": x}, parameters)
    np.testing.assert_allclose(found["left"], product(hidden, "left", "left_input"), atol=1e-12)
    np.testing.assert_allclose(found["right"], product(hidden, "right", "left_input"), atol=1e-12)


@pytest.mark.parametrize("name", ["gpt2", "vit-b16", "t5-small"])
def test_rules_are_judged_again_and_hold_as_before(name: str) -> None:
    spec = load(name, reduced=True)
    assert [(str(one.rule), one.status) for one in check(every(spec, "int8")).verdicts] == [
        (str(one.rule), one.status) for one in check(spec).verdicts
    ]


def test_products_on_several_grids_do_not_share_a_scale() -> None:
    spec = load("gpt2", reduced=True)
    wishes = read_grids(["int8", "states.layers.*.attention.k=fp8", "states.layers.*.attention.v=float"])
    grids = grids_of(spec.graph, wishes)
    assert "states.layers.*.attention.v" not in grids
    found = readers(RoundOperands(plan=grids).run(spec.graph).graph)
    assert found["states.layers.*.attention.q"] == "states.layers.*.attention.q_input.scale"
    assert found["states.layers.*.attention.k"] == "states.layers.*.attention.k_input.scale"
    assert "states.layers.*.attention.v" not in found


def test_a_product_reads_numbers_of_the_kind_of_its_weight() -> None:
    spec = load("gpt2", reduced=True)
    plan = plan_of(spec.graph, read_wishes(["fp8"]))
    # Rows of a table are looked up of integers, and the head is tied to it.
    assert str(plan["source.table"]) == "int8"
    found = grids_of(spec.graph, read_grids(["fp8"]), plan)
    assert found.pop("logits") == "int8"
    assert set(found.values()) == {"fp8"}


def test_what_is_multiplied_with_floats_stays_float() -> None:
    """Unless it is asked for by its name; a head that is tied to a table has the table's weights."""
    spec = load("gpt2", reduced=True)
    up, wishes = "states.layers.*.feed_forward.up", ["int8", "states.layers.*.attention=float"]
    plan = plan_of(spec.graph, read_wishes(wishes, ["source"]))
    found = {up: "int8", "states.layers.*.feed_forward.down": "int8"}
    assert grids_of(spec.graph, read_grids(["int8"]), plan) == found
    assert grids_of(spec.graph, read_grids(["int8", "logits=int8"]), plan) == {**found, "logits": "int8"}


def test_what_is_multiplied_with_blocks_stays_float() -> None:
    spec = load("gpt2", reduced=True)
    up = "states.layers.*.feed_forward.up"
    plan = plan_of(spec.graph, read_wishes(["int4:16", f"{up}=int8", "source=int8"]))
    assert grids_of(spec.graph, read_grids(["int8"]), plan) == {up: "int8", "logits": "int8"}
    with pytest.raises(SpecError) as raised:
        grids_of(spec.graph, read_grids(["states.layers.*.attention.q=int8"]), plan)
    assert [one.code for one in raised.value.diagnostics] == ["E632"]


def test_an_empty_plan_changes_nothing_and_an_unknown_product_is_refused() -> None:
    graph = load("gpt2", reduced=True).graph
    assert not rounds(graph)
    assert RoundOperands(plan={}).run(graph).graph is graph
    assert "states.layers.*.feed_forward.up" in products(graph)
    with pytest.raises(KeyError, match=r"states\.layers"):
        RoundOperands(plan={"states.layers": "int8"}).run(graph)


def test_gradients_are_those_of_what_is_rounded() -> None:
    spec = every(load("vit-b16", reduced=True), "int8")
    module = class_in(emit(accepted(spec)), spec.name)()
    pixels = torch.randn(1, 3, 32, 32, requires_grad=True)
    module(pixels).sum().backward()
    assert pixels.grad is not None
    assert (pixels.grad != 0).all()
