"""What torch asks of a module: export, compile, meta device, copies, pickles, workers, precisions, training."""

from __future__ import annotations

import copy
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from archspec.ir.graph import Graph
from tests.lower.graphs import GRAPHS, SIZES, chain, encoder_decoder, exposed, frozen
from tests.lower.running import compare, inputs_of, module_from, outputs_of, source_of

DIMS = {name: torch.export.Dim(name, min=1, max=64) for name in ("batch", "src", "tgt")}


def inputs32(graph: Graph, sizes: dict[str, int]) -> dict[str, torch.Tensor]:
    found = inputs_of(graph, sizes)
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in found.items()}


def dynamic(graph: Graph) -> dict[str, dict[int, object]]:
    """Dynamic axes by input: those that are one dim."""
    return {
        value.name: {axis: DIMS[str(size)] for axis, size in enumerate(value.type.shape) if str(size) in DIMS}
        for value in graph.inputs
    }


@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "sizes_from_outside"])
def test_strict_export_with_dynamic_dims(name: str) -> None:
    graph = GRAPHS[name]()
    module = module_from(source_of(graph))
    program = torch.export.export(
        module, (), inputs32(graph, SIZES), dynamic_shapes=dynamic(graph), strict=True
    ).module()
    for sizes in ({"batch": 2, "src": 9, "tgt": 6}, {"batch": 5, "src": 3, "tgt": 8}):
        inputs = inputs32(graph, sizes)
        wanted, found = (outputs_of(one, inputs, graph.output_names) for one in (module, program))
        assert list(wanted) == list(found)
        for key, tensor in wanted.items():
            torch.testing.assert_close(found[key], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["encoder_decoder", "exposed_states"])
def test_compile_without_graph_breaks(name: str) -> None:
    graph = GRAPHS[name]()
    module = module_from(source_of(graph))
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    for sizes in (SIZES, {**SIZES, "src": 8, "tgt": 7}):
        inputs = inputs32(graph, sizes)
        wanted, found = (outputs_of(one, inputs, graph.output_names) for one in (module, compiled))
        for key, tensor in wanted.items():
            torch.testing.assert_close(found[key], tensor, rtol=1e-4, atol=1e-5)


def test_the_meta_device_and_then_weights() -> None:
    graph = encoder_decoder(2)
    module = module_from(source_of(graph))
    with torch.device("meta"):
        empty = type(module)()
    assert all(parameter.is_meta for parameter in empty.parameters())
    assert not list(empty.buffers())
    empty.load_state_dict(module.state_dict(), assign=True)
    compare(graph, empty.eval(), SIZES)


def test_copies_and_state_dicts(tmp_path: Path) -> None:
    graph = encoder_decoder(2)
    module = module_from(source_of(graph))
    torch.save(module.state_dict(), tmp_path / "state.pt")
    fresh = type(module)().eval()
    fresh.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    inputs = inputs32(graph, SIZES)
    for other in (copy.deepcopy(module), fresh):
        torch.testing.assert_close(other(**inputs), module(**inputs), rtol=0, atol=0)


def test_a_whole_module_is_loaded_by_another_process(tmp_path: Path) -> None:
    graph = encoder_decoder(2)
    module = module_from(source_of(graph))
    inputs = inputs32(graph, SIZES)
    torch.save((module, inputs), tmp_path / "module.pt")
    script = (
        "import sys, torch; module, inputs = torch.load(sys.argv[1], weights_only=False); "
        "torch.save(module(**inputs), sys.argv[2])"
    )
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "module.pt", tmp_path / "result.pt"],
        check=True,
        cwd=Path(__file__).parents[2],
    )
    torch.testing.assert_close(torch.load(tmp_path / "result.pt"), module(**inputs), rtol=0, atol=1e-6)


def test_a_spawned_worker_runs_a_module() -> None:
    graph = chain()
    module = module_from(source_of(graph))
    inputs = inputs32(graph, SIZES)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(outputs_of, (module, inputs, graph.output_names))
    torch.testing.assert_close(found["y"], module(**inputs), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", GRAPHS)
def test_low_precision_is_finite_and_near(name: str, dtype: torch.dtype) -> None:
    graph = GRAPHS[name]()
    module = module_from(source_of(graph))
    inputs = inputs32(graph, SIZES)
    wanted = outputs_of(module, inputs, graph.output_names)
    cast = {key: tensor.to(dtype) if tensor.is_floating_point() else tensor for key, tensor in inputs.items()}
    with torch.autocast("cpu", dtype=dtype):
        automatic = outputs_of(module, inputs, graph.output_names)
    found = outputs_of(module.to(dtype), cast, graph.output_names)
    for key, tensor in wanted.items():
        assert found[key].dtype == dtype
        for one in (found[key], automatic[key]):
            assert one.isfinite().all()
            assert (one.float() - tensor).norm() <= 0.05 * tensor.norm()


def test_training_drops_and_every_parameter_learns() -> None:
    graph = encoder_decoder(2)
    module = module_from(source_of(graph)).train()
    inputs = inputs32(graph, SIZES)
    assert not torch.equal(module(**inputs), module(**inputs))
    module(**inputs).square().sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_frozen_modules_do_not_train() -> None:
    module = module_from(source_of(frozen()))
    trained = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert trained == {"moving.map.weight", "moving.map.bias", "moving.scale"}
    assert type(module.still) is type(module.moving)


def test_initialisation() -> None:
    module = type(module_from(source_of(encoder_decoder(2, width=64, hidden=256, vocab=500))))()
    state = module.state_dict()
    table, bias = state["source.table"], state["memory.layers.1.feed_forward.up.bias"]
    assert abs(table.std().item() - 0.02) < 0.001
    assert abs(state["memory.layers.1.feed_forward.up.weight"].std().item() - 0.02) < 0.001
    assert not bias.any()
    assert torch.equal(state["memory.layers.1.attention_norm.weight"], torch.ones(64))


def test_layers_of_one_structure_are_one_class() -> None:
    module = module_from(source_of(encoder_decoder(2)))
    memory, states = module.memory.layers, module.states.layers
    assert type(memory[0]) is type(memory[1])
    assert type(memory[0].feed_forward) is type(states[0].feed_forward)
    names = {type(one).__name__ for one in module.modules() if type(one).__module__ == type(module).__module__}
    assert names >= {"TestedModel", "Encoder", "EncoderLayer", "CrossAttention", "FeedForward"}


def test_several_outputs_have_names() -> None:
    graph = exposed(frozenset({"layers.1"}))
    result = module_from(source_of(graph))(**inputs32(graph, SIZES))
    assert result._fields == ("y", "layers_1")
    assert isinstance(result.layers_1, torch.Tensor)


def test_modules_are_plain() -> None:
    module = module_from(source_of(encoder_decoder(2)))
    assert isinstance(module, nn.Module)
    assert type(module).__mro__[1] is nn.Module
