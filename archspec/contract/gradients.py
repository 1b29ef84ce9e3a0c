"""Dependence of a PyTorch module by gradients in float64: lower bounds that no perturbation has to be drawn for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archspec.contract.positions import places
from archspec.contract.protocol import Subject
from archspec.contract.torch_module import TorchRunner
from archspec.model.runner import Array, Arrays

_LEAST = 1e-18
"""What a gradient in float64 must exceed; masked positions give exactly zero."""


class _Tap(TorchFunctionMode):
    """Adds a zero to every embedding of some ids, through which gradients reach them."""

    def __init__(self, ids: Tensor) -> None:
        super().__init__()
        self.ids = ids
        self.zeros: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run the function; where it embeds the ids, add the zero."""
        result = func(*args, **(kwargs or {}))
        if func is not F.embedding or not args:
            return result
        if args[0].data_ptr() != self.ids.data_ptr() or args[0].numel() != self.ids.numel():
            return result
        zero = torch.zeros_like(result, requires_grad=True)
        self.zeros.append(zero.view(*self.ids.shape, -1))
        return result + self.zeros[-1].view_as(result)


class Gradients:
    """A copy of a runner's module in float64 whose parameters are all positive, so that nothing cancels or dies."""

    def __init__(self, runner: TorchRunner) -> None:
        assert isinstance(runner.model, nn.Module)
        module = copy.deepcopy(runner.model).double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.abs_()
        self._runner = runner.over(module, torch.float64)

    def dependence(
        self, arrays: Arrays, source: tuple[str, Sequence[int]], result: tuple[str, Sequence[int]], seed: int
    ) -> Array | None:
        """Which output positions depend on which input positions, in some row: bool [outputs, inputs].

        Of many output positions some. None where gradients do not reach the input: ids that nothing embeds, or bools.
        """
        (name, inputs), (output, outputs) = source, result
        tensors = self._runner.tensors(arrays)
        leaf = tensors[name]
        if leaf.is_floating_point():
            leaf.requires_grad_()
            leaves, found = [leaf], self._runner.call(tensors)[output]
        else:
            with _Tap(leaf) as tap:
                found = self._runner.call(tensors)[output]
            leaves = tap.zeros
        if not leaves or not found.requires_grad:
            return None
        return by_position(found, leaves, inputs, outputs, seed)


def by_position(
    result: Tensor, leaves: Sequence[Tensor], inputs: Sequence[int], outputs: Sequence[int], seed: int
) -> Array:
    """Which output positions the leaves reach: bool [outputs, inputs]; of many output positions some."""
    generator = torch.Generator().manual_seed(seed)
    weighted = result * torch.rand(result.shape, generator=generator, dtype=result.dtype)
    rows: list[Array] = []
    for place in places(result.shape, outputs):
        part = weighted
        for axis, number in sorted(zip(outputs, place, strict=True), reverse=True):
            part = part.select(axis, number)
        found = torch.autograd.grad(part.sum(), leaves, retain_graph=True, allow_unused=True)
        rows.append(_reached([gradient for gradient in found if gradient is not None], leaves[0], inputs))
    return np.stack(rows)


def _reached(gradients: Sequence[Tensor], leaf: Tensor, inputs: Sequence[int]) -> Array:
    """Input positions that a gradient reaches in some row."""
    total = sum((gradient.abs() for gradient in gradients), torch.zeros_like(leaf))
    rest = [axis for axis in range(1, total.ndim) if axis not in inputs]
    by_position = total.amax(rest) if rest else total
    reached: Array = (by_position > _LEAST).any(0).reshape(-1).numpy()
    return reached


def subject_of(name: str, runner: TorchRunner) -> Subject:
    """A runner as a subject; a function has no float64 twin and no gradients, for its parameters are out of reach."""
    if not isinstance(runner.model, nn.Module):
        return Subject(name=name, runner=runner)
    return Subject(name=name, runner=runner, exact=runner.exact(), gradients=cache(lambda: Gradients(runner)))
