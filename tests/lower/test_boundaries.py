"""Boundaries of modules against what hooks on the emitted modules see."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.analyses.sharding.boundary import Boundary, Crossing
from archspec.ir.types import TensorType
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.spec import load
from tests.lower.running import filled, inputs_of

SPECS = ["gpt2", "t5-small", "deepseek-v3", "gemma-2-2b", "whisper-tiny", "albert-base", "swin-t", "clip-vit-b32"]


def paths(boundary: Boundary) -> Iterator[str]:
    """The paths of the modules of a boundary."""
    for numbers in itertools.product(*boundary.layers):
        rest = iter(numbers)
        yield ".".join(str(next(rest)) if part == "*" else part for part in boundary.module.split("."))


def type_at(crossing: Crossing, boundary: Boundary) -> TensorType:
    node = crossing.node
    assert node is not None
    if boundary.side == "lookup" or not node.regions:
        values = node.inputs if crossing.side == "input" else node.outputs
    else:
        region = node.regions[crossing.region]
        values = region.inputs if crossing.side == "input" else region.outputs
    return values[crossing.number].type


def seen(module: nn.Module, inputs: dict[str, Tensor]) -> dict[tuple[str, str], list[list[torch.Size]]]:
    """The shapes of arguments and results of every call of every module."""
    shapes: dict[tuple[str, str], list[list[torch.Size]]] = {}

    def hook(path: str, arguments: tuple[Tensor, ...], result: Tensor | tuple[Tensor, ...]) -> None:
        results = result if isinstance(result, tuple) else (result,)
        shapes.setdefault((path, "input"), []).append([one.shape for one in arguments])
        shapes.setdefault((path, "output"), []).append([one.shape for one in results])

    for path, one in module.named_modules():
        one.register_forward_hook(lambda _, given, made, path=path: hook(path, given, made))
    with torch.no_grad():
        module(**inputs)
    return shapes


@pytest.mark.parametrize("name", SPECS)
def test_hooks_see_the_values_of_the_boundaries(name: str) -> None:
    spec = load(name, reduced=True)
    module = filled(archspec.compile(spec)).double().eval()
    sizes = {name: dim.typical for name, dim in spec.dims.items()}
    shapes = seen(module, inputs_of(spec.graph, sizes, seed=0))
    graph = with_masks(spec)
    found = {key: boundary for key, boundary in boundaries(graph).items() if key.node is not None}
    crossed = set()
    for crossing, boundary in found.items():
        wanted = tuple(size.value(sizes) for size in type_at(crossing, boundary).shape)
        for path in paths(boundary):
            if boundary.side == "lookup":
                assert isinstance(module.get_submodule(path).get_parameter(boundary.name), Tensor)
                continue
            crossed.add((path, boundary.side, boundary.number))
            assert wanted in [call[boundary.number] for call in shapes[path, boundary.side]], (path, boundary)
    # Every argument and result of every module that is called, but the whole model, is a boundary.
    assert crossed == {
        (path, side, number) for (path, side), calls in shapes.items() if path for number in range(len(calls[0]))
    }
