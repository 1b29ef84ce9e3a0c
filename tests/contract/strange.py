"""Modules of users that raise, or that cannot be copied, converted or differentiated."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

from tests.contract.decoders import Decoder


class OddError(Exception):
    """An exception of the user's own."""


class DividesByZero(Decoder):
    """Fails at a length of 1."""

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        assert 1 // (ids.shape[1] - 1) >= 0
        return super().forward(ids, valid)


class Raises(Decoder):
    """Fails always."""

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        raise OddError("odd")


class OnMeta(Decoder):
    """Returns a tensor without memory."""

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        return super().forward(ids, valid).to("meta")


class Locked(Decoder):
    """Holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class NoBackward(torch.autograd.Function):
    """The identity without gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The same values."""
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Fails."""
        raise OddError("no backward")


class Undifferentiable(Decoder):
    """Has no backward pass."""

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        return NoBackward.apply(super().forward(ids, valid))


class ForInference(Decoder):
    """Refuses to run with gradients."""

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        if torch.is_grad_enabled():
            raise ValueError("for inference only")
        return super().forward(ids, valid)


def divides() -> float:
    """A factory that fails."""
    return 1 / 0
