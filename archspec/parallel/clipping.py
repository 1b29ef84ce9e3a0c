"""Clipping of gradients that lie on several meshes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from archspec.weights.parts import is_distributed

if TYPE_CHECKING:
    from torch import Tensor, nn


def clip_gradients(parameters: Iterable[nn.Parameter], largest: float) -> Tensor:
    """Scale gradients so that the norm of all of them together is at most `largest`; every rank calls it.

    It is `torch.nn.utils.clip_grad_norm_`, which refuses DTensors of different meshes: where ranks share a head of keys
    and values, its parameters lie on a mesh of their own.

    Args:
        parameters: of a module that may be split; those without a gradient do not count.
        largest: the largest norm that is left as it is.

    Returns:
        the norm before, a scalar that is equal on every rank.
    """
    import torch
    from torch.nn.utils import clip_grads_with_norm_

    groups: dict[object, list[nn.Parameter]] = {}
    for one in parameters:
        if one.grad is not None:
            groups.setdefault(one.device_mesh if is_distributed(one) else None, []).append(one)
    if not groups:
        return torch.tensor(0.0)
    norm: Tensor = torch.linalg.vector_norm(torch.stack([_norm(group) for group in groups.values()]))
    for group in groups.values():
        clip_grads_with_norm_(group, largest, norm)
    return norm


def _norm(group: Sequence[nn.Parameter]) -> Tensor:
    """The norm of the gradients of parameters of one mesh."""
    from torch.nn.utils import get_total_norm

    norm: Tensor = get_total_norm([one.grad for one in group if one.grad is not None])
    if is_distributed(norm):
        whole: Tensor = norm.full_tensor()
        return whole
    return norm
