"""Dependence measured by gradients in float64: a lower bound that needs no perturbations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archspec.contract.protocol import Asked, Positions, Subject
from archspec.contract.torch_module import TorchRunner, copied
from archspec.model.runner import Array, Arrays

_LEAST = 1e-18
"""The smallest gradient in float64 that counts as a dependence; masked positions have exactly zero.

It is relative to the largest one if that is below 1: parameters may scale all of them down, by a factor a layer.
"""


class EmbeddingTap(TorchFunctionMode):
    """Adds a zero tensor to the embeddings of some ids: its gradient stands in for that of the ids, which have none.

    The ids are recognised by their memory, so that the tensor may be reshaped on its way to the embedding.
    """

    def __init__(self, ids: Tensor) -> None:
        super().__init__()
        self.ids = ids
        self.zeros: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run the function; if it is an embedding of the ids, add the zero tensor to its result."""
        result = func(*args, **(kwargs or {}))
        if func is not F.embedding or not args:
            return result
        if args[0].data_ptr() != self.ids.data_ptr() or args[0].numel() != self.ids.numel():
            return result
        zero = torch.zeros_like(result, requires_grad=True)
        self.zeros.append(zero.view(*self.ids.shape, -1))
        return result + self.zeros[-1].view_as(result)


class Gradients:
    """Gradients of a copy of a runner's module in float64.

    Args:
        runner: a runner of a module, which is left unchanged.
        is_positive: whether the copy's parameters are replaced by their absolute values, so that fewer contributions
            cancel or are cut off. Through many layers they add up, though, until an activation with an upper limit
            lets nothing pass: then the parameters themselves show more.
    """

    def __init__(self, runner: TorchRunner, *, is_positive: bool = True) -> None:
        assert isinstance(runner.model, nn.Module)
        self._given = runner
        self._is_positive = is_positive

    @cached_property
    def _runner(self) -> TorchRunner:
        """The copy's runner, which is made when it is first needed."""
        assert isinstance(self._given.model, nn.Module)
        module = copied(self._given.model).double()
        with torch.no_grad():
            for parameter in module.parameters() if self._is_positive else ():
                parameter.abs_()
        return self._given.over(module, torch.float64)

    def dependence(
        self, arrays: Arrays, source: Positions, result: Positions, seed: int, asked: Asked | None = None
    ) -> Array | None:
        """Which output positions depend on which input positions in at least one row.

        Args:
            arrays: inputs by name.
            source: an input, and the axes that number its positions.
            result: an output, and the axes that number its positions.
            seed: seed of the positive weights with which an output position's elements are summed.
            asked: the output positions; all if None.

        Returns:
            bool [outputs, inputs]. None if no gradient reaches the input: for bools, for ids that no embedding reads,
            and where the model fails with gradients.
        """
        try:
            return self._dependence(arrays, source, result, seed, asked)
        except Exception:  # noqa: BLE001 - a user's model may have no backward pass, or refuse to run with gradients
            return None

    def _dependence(
        self, arrays: Arrays, source: Positions, result: Positions, seed: int, asked: Asked | None
    ) -> Array | None:
        """As `dependence`; raises what the model raises."""
        (name, inputs), (output, outputs) = source, result
        tensors = self._runner.tensors(arrays)
        leaf = tensors[name]
        if leaf.is_floating_point():
            leaf.requires_grad_()
            leaves, found = [leaf], self._runner.call(tensors)[output]
        else:
            with EmbeddingTap(leaf) as tap:
                found = self._runner.call(tensors)[output]
            leaves = tap.zeros
        if not leaves or not found.requires_grad:
            return None
        return by_position(found, leaves, inputs, outputs, seed, asked)


def by_position(
    result: Tensor,
    leaves: Sequence[Tensor],
    inputs: Sequence[int],
    outputs: Sequence[int],
    seed: int,
    asked: Asked | None = None,
) -> Array:
    """Which output positions depend on which input positions, by the gradients of the output.

    Args:
        result: the output, with a gradient graph.
        leaves: tensors of one shape whose gradients are taken; their absolute values are added.
        inputs: the axes of the leaves that number input positions.
        outputs: the axes of the output that number output positions.
        seed: seed of the weights with which an output position's elements are summed, so that a sum that is constant,
            such as that of a softmax, does not hide a dependence.
        asked: the output positions; all if None. They are spread over the rows only if both sides have the same rows.

    Returns:
        bool [outputs, inputs].
    """
    generator = torch.Generator().manual_seed(seed)
    # The plain sum of normalised values is constant: with random weights its gradient does not vanish.
    weighted = result * torch.rand(result.shape, generator=generator, dtype=result.dtype)
    # [batch, output positions, rest], or [output positions, rest] where an output position is on the first axis.
    led = [0] if result.ndim and 0 not in outputs else []
    rest = [axis for axis in range(result.ndim) if axis not in (*led, *outputs)]
    flat = weighted.permute(*led, *outputs, *rest)
    flat = flat.reshape(flat.shape[0] if led else 1, math.prod(result.shape[axis] for axis in outputs), -1).sum(-1)
    numbers = range(flat.shape[1]) if asked is None else asked.numbers
    is_spread = asked is not None and asked.is_spread and 0 not in inputs and leaves[0].shape[:1] == flat.shape[:1]
    step = flat.shape[0] if is_spread else 1
    found: list[Array] = []
    for start in range(0, len(numbers), step):
        group = list(numbers[start : start + step])
        part = flat[list(range(len(group))), group] if is_spread else flat[:, group]
        # The graph is kept: one forward pass serves all output positions.
        gradients = torch.autograd.grad(part.sum(), leaves, retain_graph=True, allow_unused=True)
        reached = _reached([gradient for gradient in gradients if gradient is not None], leaves[0], inputs)
        found.extend(reached[: len(group)] if is_spread else [np.asarray(reached.any(0))])
    return np.stack(found)


def _reached(gradients: Sequence[Tensor], leaf: Tensor, inputs: Sequence[int]) -> Array:
    """Input positions with a gradient above the threshold: bool [rows, inputs]."""
    total = sum((gradient.abs() for gradient in gradients), torch.zeros_like(leaf))
    rest = [axis for axis in range(1, total.ndim) if axis not in inputs]
    by_position = total.amax(rest) if rest else total
    least = _LEAST * min(1.0, float(total.max()) if total.numel() else 1.0)
    reached: Array = (by_position > least).reshape(1 if 0 in inputs else len(leaf), -1).numpy()
    return reached


def subject_of(name: str, runner: TorchRunner) -> Subject:
    """A runner as a subject.

    A module gets its float64 copy and gradients; a function has neither, because its parameters are not accessible.
    """
    if not isinstance(runner.model, nn.Module):
        return Subject(name=name, runner=runner)
    gradients = (Gradients(runner), Gradients(runner, is_positive=False))
    return Subject(name=name, runner=runner, exact=runner.exact(), gradients=gradients)
