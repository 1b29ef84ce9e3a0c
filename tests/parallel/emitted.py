"""Emitted modules and their `parallelize.py` on ranks: made once in the test's process, sent as text."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from archspec.analyses.sharding.plan import Plan
from archspec.analyses.sharding.planner import plan
from archspec.checking import accepted
from archspec.lower import class_name, emit
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.parallel.text import parallelize_text
from archspec.record import record
from archspec.spec import Spec
from tests.lower.running import filled, inputs_of


@record
class Emitted:
    """The texts of a model and of its plan, and inputs."""

    name: str
    source: str
    parallelize: str
    inputs: Mapping[str, Tensor]


def emitted(
    spec: Spec,
    count: int,
    sizes: Mapping[str, int] | None = None,
    *,
    sequence: bool = False,
    expert_parallel: bool = False,
) -> tuple[Emitted, Plan]:
    """The texts of a spec for a number of tensor ranks, and its plan."""
    graph = with_masks(spec)
    found = boundaries(graph)
    made = plan(graph, count, found, sequence=sequence, expert_parallel=expert_parallel)
    sizes = sizes or {name: dim.typical for name, dim in spec.dims.items()}
    texts = Emitted(
        name=class_name(spec.name),
        source=emit(accepted(spec)),
        parallelize=parallelize_text(made, graph, found, "Tested."),
        inputs=inputs_of(spec.graph, sizes),
    )
    return texts, made


def loaded(source: str) -> dict[str, Any]:
    """The names of a file."""
    module = ModuleType("emitted")
    exec(compile(source, "<emitted>", "exec"), module.__dict__)
    return module.__dict__


def whole(texts: Emitted, dtype: torch.dtype = torch.float64) -> nn.Module:
    """The model with the same weights wherever it is made."""
    return filled(loaded(texts.source)[texts.name]()).to(dtype).eval()


def outputs(module: nn.Module, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """The outputs of a model."""
    result = module(**inputs)
    return [result] if isinstance(result, Tensor) else list(result)


def loss(results: list[Tensor], seed: int = 1) -> Tensor:
    """A number to which every entry of every output matters."""
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(one.shape, generator=generator, dtype=torch.float64).to(one.dtype) for one in results]
    total = results[0].new_zeros(())
    for one, weight in zip(results, weights, strict=True):
        if one.is_floating_point():
            total = total + (one * weight).sum() / one.numel() ** 0.5
    return total


def gradients(module: nn.Module) -> dict[str, Tensor]:
    """Every gradient, whole."""
    from torch.distributed.tensor import DTensor

    found = {}
    for name, one in module.named_parameters():
        grad = one.grad
        if grad is not None:
            found[name] = grad.full_tensor() if isinstance(grad, DTensor) else grad
    return found


def differs(a: Tensor, b: Tensor) -> float:
    """The largest difference as a share of the largest entry, or of 1."""
    assert a.shape == b.shape
    a, b = a.detach().double(), b.detach().double()
    finite = torch.isfinite(b)
    assert bool((torch.isfinite(a) == finite).all())
    scale = max(1.0, float(b[finite].abs().max())) if finite.any() else 1.0
    return float((a - b)[finite].abs().max()) / scale if finite.any() else 0.0
