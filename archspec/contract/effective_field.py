"""Effective fields: how the gradient of one position of an output spreads over the positions of an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from archspec.contract.gradients import EmbeddingTap
from archspec.contract.torch_module import TorchRunner
from archspec.model.runner import Array, Arrays

_DRAWS = 4


def gradient_energy(
    runner: TorchRunner,
    arrays: Arrays,
    source: tuple[str, Sequence[int]],
    output: str,
    at: Mapping[int, int],
    seed: int,
) -> Array | None:
    """The squared gradient of one output position at every input position (Luo et al. 2016, arXiv 1701.04128).

    The gradient is that of a sum of the position's channels in the first row, with weights from a normal distribution,
    so that the expectation is that of all channels; the mean of several draws is taken. Of ids, it is that of their
    embeddings.

    Args:
        runner: the module.
        arrays: all inputs by name.
        source: the input, and the axes that number its positions.
        output: the output.
        at: the position, by axis of the output.
        seed: of the weights.

    Returns:
        float64 [positions of each axis], with sum 1; None where no gradient reaches the input.
    """
    name, axes = source
    tensors = runner.tensors(arrays)
    leaf = tensors[name]
    if leaf.is_floating_point():
        leaf.requires_grad_()
        leaves, result = [leaf], runner.call(tensors)[output]
    else:
        with EmbeddingTap(leaf) as tap:
            result = runner.call(tensors)[output]
        leaves = tap.zeros
    if not leaves or not result.requires_grad:
        return None
    chosen = _chosen(result, at)
    generator = torch.Generator().manual_seed(seed)
    total = sum(_energy(chosen, leaves, axes, generator) for _ in range(_DRAWS))
    assert isinstance(total, np.ndarray)
    whole = float(total.sum())
    return total / whole if whole > 0 and np.isfinite(whole) else None


def _chosen(result: Tensor, at: Mapping[int, int]) -> Tensor:
    """The channels of one position, in the first row."""
    places = {0: 0, **at}
    return result[tuple(places.get(axis, slice(None)) for axis in range(result.ndim))]


def _energy(chosen: Tensor, leaves: Sequence[Tensor], axes: Sequence[int], generator: torch.Generator) -> Array:
    """The squared gradient of one weighted sum, added over all axes of the input that number no positions."""
    weights = torch.randn(chosen.shape, generator=generator, dtype=chosen.dtype)
    # An embedding that the output does not depend on has no gradient.
    gradients = torch.autograd.grad((chosen * weights).sum(), leaves, retain_graph=True, allow_unused=True)
    # In float64: squares of small gradients leave the range of float32.
    squares = sum((one.double() ** 2 for one in gradients if one is not None), torch.zeros(leaves[0].shape).double())
    rest = [axis for axis in range(squares.ndim) if axis not in axes]
    found: Array = squares.sum(rest).numpy()
    return found


def within(energy: Array, centre: Sequence[float]) -> Array:
    """The share of the energy within r positions of the centre along every axis, by r.

    Args:
        energy: [positions of each axis], with sum 1.
        centre: the centre, in positions; it may lie between two.

    Returns:
        float64 [r], from 0 to the largest distance.
    """
    away = [np.abs(np.arange(length) - middle) for length, middle in zip(energy.shape, centre, strict=True)]
    distance = np.ceil(np.max(np.stack(np.meshgrid(*away, indexing="ij")), axis=0)).astype(int)
    shares: Array = np.bincount(distance.ravel(), weights=energy.ravel()).cumsum()
    return shares
