"""Emitting graphs, importing what was emitted, and running it beside the interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import nn

from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph
from archspec.ir.types import DType
from archspec.lower import cache
from archspec.lower.docs import Header
from archspec.lower.module_file import module_file
from archspec.lower.naming import class_name
from archspec.masks.leaf import Padding
from archspec.oracle.interpreter import interpret
from archspec.passes.hoist_masks import HoistMasks

NAME = "tested-model"


def source_of(
    graph: Graph, defaults: Mapping[str, Any] | None = None, promises: Mapping[str, Padding] | None = None
) -> str:
    """The emitted file, with masks hoisted."""
    hoisted = HoistMasks(promises=promises or {}).run(graph).graph
    return module_file(hoisted, Header(name=NAME, about="a model of the tests", version="0"), defaults)


def module_from(source: str) -> nn.Module:
    """An instance of the model in an emitted file, in eval mode, every parameter filled at random."""
    found = getattr(import_module(f"archspec.generated.{cache.store(source)}"), class_name(NAME))()
    assert isinstance(found, nn.Module)
    return filled(found).eval()


def filled(module: nn.Module, seed: int = 0) -> nn.Module:
    """Fill every parameter from a seeded normal distribution; norms and scales about 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = "norm" in name and name.endswith("weight")
            parameter.copy_(1 + 0.1 * noise if is_norm else 0.3 * noise)
    return module


def inputs_of(graph: Graph, sizes: Mapping[str, int], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random inputs: ids below their bound, bools mostly true."""
    generator = torch.Generator().manual_seed(seed)
    made: dict[str, torch.Tensor] = {}
    for value in graph.inputs:
        shape = [size.value(sizes) for size in value.type.shape]
        if value.type.dtype is DType.FLOAT:
            made[value.name] = torch.randn(shape, generator=generator, dtype=torch.float64)
        elif value.type.dtype is DType.BOOL:
            made[value.name] = torch.rand(shape, generator=generator) < 0.7
        else:
            bound = value.type.bound.value(sizes) if value.type.bound is not None else 5
            made[value.name] = torch.randint(0, bound, shape, generator=generator)
    return made


def outputs_of(module: nn.Module, inputs: Mapping[str, torch.Tensor], names: tuple[str, ...]) -> dict[str, Any]:
    """What a module gives, by name."""
    with torch.no_grad():
        result = module(**inputs)
    values = (result,) if isinstance(result, torch.Tensor) else result
    return dict(zip(names, values, strict=True))


def compare(graph: Graph, module: nn.Module, sizes: Mapping[str, int], **changed: torch.Tensor) -> None:
    """Hold a module, in float64, against the interpreter of the graph that it was made of."""
    module = module.double()
    state = module.state_dict()
    assert set(state) == set(expand(graph))
    inputs = {**inputs_of(graph, sizes), **changed}
    wanted = interpret(
        graph,
        {name: tensor.numpy() for name, tensor in inputs.items()},
        {name: tensor.numpy() for name, tensor in state.items()},
        sizes,
    )
    found = outputs_of(module, inputs, graph.output_names)
    for name, array in wanted.items():
        assert found[name].shape == array.shape
        np.testing.assert_allclose(found[name].numpy(), array, rtol=1e-9, atol=1e-9, err_msg=name)
