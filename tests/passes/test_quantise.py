"""Parameters that are stored as integers: which may be, that graphs compute the same numbers, and that ties stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from archspec.analyses.cost import cost
from archspec.analyses.parameters import expand
from archspec.checking.checks import accepted, check
from archspec.contract.difference import difference
from archspec.diagnostics import SpecError
from archspec.engines.module import named_arguments, named_outputs
from archspec.ir.graph import Graph
from archspec.ir.printer import print_graph
from archspec.ir.storage import SCALE, Storage
from archspec.layouts.parameters import shape_of
from archspec.lower import emit
from archspec.lower.modules import class_in
from archspec.lower.step_programs import step_programs
from archspec.model.ports import interface_of
from archspec.model.runner import Array
from archspec.model.samples import sample
from archspec.model.sizes import odd
from archspec.oracle.interpreter import interpret
from archspec.passes.quantise import Quantise, storable
from archspec.quantising.plan import plan_of, read_wishes
from archspec.quantising.spec import quantised
from archspec.spec import Spec, load
from tests.mutation.shipped import REPRESENTATIVES, SHIPPED


def drawn(spec: Spec, rng: np.random.Generator) -> dict[str, Array]:
    """Random integers and scales, and random floats for all that is not quantised."""
    found: dict[str, Array] = {}
    for name, one in expand(spec.graph).items():
        shape = shape_of(one.type)
        if one.stored is not None:
            found[name] = rng.integers(-one.stored.largest - 1, one.stored.largest + 1, shape).astype(np.int8)
        elif name.endswith(SCALE):
            found[name] = (0.01 + 0.01 * rng.random(shape)).astype(np.float32)
        else:
            found[name] = np.abs(rng.normal(size=shape)) if "running" in name else 0.2 * rng.normal(size=shape)
    return found


def numbers(integers: Array, scale: Array) -> Array:
    """What integers stand for, one scale after the other: entry k of a row belongs to block k // (entries / blocks)."""
    flat, blocks = integers.reshape(-1, integers.shape[-1]), scale.shape[-1]
    found = np.zeros(flat.shape)
    rows = np.broadcast_to(scale, (*integers.shape[:-1], blocks)).reshape(-1, blocks)
    for row, column in np.ndindex(*flat.shape):
        found[row, column] = float(flat[row, column]) * float(rows[row, column * blocks // flat.shape[1]])
    return found.reshape(integers.shape)


@pytest.mark.parametrize(
    ("name", "format"),
    [("gpt2", "int8"), ("smollm2-135m", "int4:16"), ("mixtral-8x7b", "int4:16"), ("convnext-tiny", "int8")],
)
def test_a_quantised_graph_computes_with_the_numbers_that_its_integers_stand_for(name: str, format: str) -> None:
    spec = load(name, reduced=True)
    made = quantised(spec, plan_of(spec.graph, read_wishes([format])))
    stored = drawn(made, np.random.default_rng(0))
    floats = {
        name: numbers(one, stored[f"{name}{SCALE}"]) if f"{name}{SCALE}" in stored else one
        for name, one in stored.items()
    }
    sizes = odd(interface_of(spec).symbols)
    inputs = sample(interface_of(spec), sizes, 1)
    found = interpret(made.graph, inputs, stored, sizes)
    for output, wanted in interpret(spec.graph, inputs, floats, sizes).items():
        np.testing.assert_allclose(found[output], wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["gpt2", "vit-b16", "t5-small", "deepseek-v3"])
def test_rules_are_judged_again_and_hold_as_before(name: str) -> None:
    spec = load(name, reduced=True)
    made = check(quantised(spec, plan_of(spec.graph, read_wishes(["int8"]))))
    assert [(str(one.rule), one.status) for one in made.verdicts] == [
        (str(one.rule), one.status) for one in check(spec).verdicts
    ]


@pytest.mark.parametrize("name", [name for name in SHIPPED if name in REPRESENTATIVES])
def test_modules_compute_what_the_interpreter_does_on_the_same_integers(name: str) -> None:
    spec = load(name, reduced=True)
    made = quantised(spec, plan_of(spec.graph, read_wishes(["int4:16"])))
    checked = accepted(made)
    module = class_in(emit(checked), made.name)().eval()
    stored, own = drawn(made, np.random.default_rng(0)), module.state_dict()
    assert own.keys() == stored.keys()
    given = {key: torch.from_numpy(np.asarray(one)).to(own[key].dtype) for key, one in stored.items()}
    module.load_state_dict(given)
    interface = interface_of(made)
    sizes = odd(interface.symbols)
    inputs = sample(interface, sizes, 1)
    rounded = {key: one.numpy() for key, one in given.items()}
    wanted = interpret(made.graph, inputs, rounded, sizes)
    with torch.inference_mode():
        tensors = [torch.from_numpy(inputs[port.name]) for port in interface.input_ports]
        found = named_outputs(module(**named_arguments(module, tensors)), list(interface.outputs))
    for output, one in wanted.items():
        assert difference(found[output].numpy(), one).share() < 1e-5
    # What engines are built from is another file, which holds the parameters of a step alone.
    assert (step_programs(checked) is not None) == (made.decode is not None)


@pytest.mark.parametrize("name", ["gemma-2-2b", "gpt-oss-20b", "deepseek-v3"])
def test_layers_of_several_kinds_are_stored_alike(name: str) -> None:
    spec = load(name, reduced=True)
    plan = plan_of(spec.graph, read_wishes(["int8"]))
    assert "states.layers.*.attention.out.weight" in plan
    every = (one for node in quantised(spec, plan).graph.walk() for one in node.parameters.values())
    made = [one for one in every if one.path == "states.layers.*.attention.out.weight"]
    assert len(made) > 1
    assert {one.stored for one in made} == {Storage(bits=8, channels=1)}


def test_a_tied_table_is_one_parameter_and_its_scales_are_stored_once() -> None:
    spec = load("gpt2", reduced=True)
    graph = Quantise(plan=plan_of(spec.graph, read_wishes(["int8"]))).run(spec.graph).graph
    tables = {one for node in graph.walk() for one in node.parameters.values() if one.path == "source.table"}
    assert len(tables) == 1
    assert [name for name in expand(graph) if name.startswith("source.table")] == ["source.table", "source.table_scale"]
    assert "table: float[97, 32] as int8" in print_graph(graph)


def test_bytes_are_those_of_integers_and_scales() -> None:
    spec = load("gpt2", reduced=True)
    plan = plan_of(spec.graph, read_wishes(["float", "states.layers.*.feed_forward.up=int4:32"]))
    graph = quantised(spec, plan).graph
    # Two layers of [128, 32], each half a byte and four bytes a block of 32, which is a row.
    saved = 2 * (4 * 128 * 32 - (128 * 32 // 2 + 4 * 128))
    assert cost(spec.graph).weight_bytes - cost(graph).weight_bytes == saved
    assert cost(spec.graph).parameters == cost(graph).parameters


def test_what_is_no_coefficient_stays() -> None:
    names = storable(load("gpt2", reduced=True).graph)
    assert "source.positions" not in names
    assert not [name for name in names if "norm" in name or name.endswith("bias")]
    # The router is held beside a bias of another op, under one name.
    assert not [name for name in storable(load("deepseek-v3", reduced=True).graph) if ".router." in name]


def test_a_plan_of_another_graph_is_refused() -> None:
    with pytest.raises(KeyError, match=r"no\.weight"):
        Quantise(plan={"no.weight": Storage(bits=8, channels=1)}).run(load("gpt2", reduced=True).graph)


def test_a_graph_without_a_plan_is_the_same() -> None:
    graph: Graph = load("gpt2", reduced=True).graph
    assert Quantise(plan={}).run(graph).graph is graph


def test_the_innermost_wish_counts_and_what_has_no_blocks_gets_eight_bits() -> None:
    graph = load("gpt2", reduced=True).graph
    layers = "states.layers.*"
    plan = plan_of(graph, read_wishes(["int4:32", f"{layers}.feed_forward=int8"], [f"{layers}.attention.q"]))
    assert {path.removeprefix("states.layers.*."): str(one) for path, one in plan.items()} == {
        "source.table": "int8",
        "attention.k.weight": "int4:32",
        "attention.v.weight": "int4:32",
        "attention.out.weight": "int4:32",
        "feed_forward.up.weight": "int8",
        "feed_forward.down.weight": "int8",
    }
    # 32 features have no whole block of 64, and 128 have.
    wide = plan_of(graph, read_wishes(["int4:64"]))
    assert str(wide["states.layers.*.attention.k.weight"]) == "int8"
    assert wide["states.layers.*.feed_forward.down.weight"] == replace(Storage(bits=4, channels=1), block=64)


@pytest.mark.parametrize(
    ("formats", "keep", "message"),
    [
        (["int8", "int4:32"], [], "`int8` and `int4:32` are both given for all nodes"),
        (["int8", "logits=int4:16", "logits=int4:32"], [], "`int4:16` and `int4:32` are both given for `logits`"),
        (["int8", "logits=int8"], ["logits"], "`int8` and `float` are both given for `logits`"),
    ],
)
def test_two_formats_for_one_node_are_refused(formats: list[str], keep: list[str], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        read_wishes(formats, keep)
    assert [(one.code, one.message) for one in raised.value.diagnostics] == [("E637", message)]


def test_one_format_may_be_said_twice() -> None:
    assert len(read_wishes(["int8", "int8", "logits=float", "stored"], ["logits"])) == 5
