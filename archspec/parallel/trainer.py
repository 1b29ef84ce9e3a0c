"""A module as Hugging Face's Trainer wants it: labels go in, a loss and logits come out under their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

LABELS = "labels"
_PREFIX = "module."


class TrainerModule(nn.Module):
    """A module and its loss. Its state has the names of the module's own, so what Trainer saves is the module's."""

    def __init__(self, module: nn.Module, loss: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.module = module
        self._loss = loss
        self.register_state_dict_post_hook(_without_prefix)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_with_prefix)  # type: ignore[no-untyped-call]

    def outputs(self, labels: Tensor | None, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return what the module computes as `logits`, and the `loss` where there are labels."""
        logits = self.module(**inputs)
        return {"logits": logits} if labels is None else {"loss": self._loss(logits, labels), "logits": logits}


def for_trainer(module: nn.Module, loss: Callable[[Any, Tensor], Tensor]) -> TrainerModule:
    """Wrap a module for Hugging Face's Trainer.

    Trainer reads from the signature of `forward` which columns of a data set the model takes, so the class that is
    returned has the module's inputs there, and `labels`.

    Args:
        module: what `archspec.compile` makes.
        loss: gives the mean loss of what `forward` returns and the labels; `next_token_loss` does for language models.

    Returns:
        a module whose `forward(..., labels=None)` returns a dict with `logits` and, given labels, `loss`.
    """
    signature = inspect.signature(type(module).forward)
    given = list(signature.parameters.values())
    labels = inspect.Parameter(LABELS, inspect.Parameter.KEYWORD_ONLY, default=None)
    bound = signature.replace(parameters=[*given, labels], return_annotation=inspect.Signature.empty)

    def forward(self: TrainerModule, *args: Any, **kwargs: Any) -> dict[str, Any]:
        arguments = dict(bound.bind(self, *args, **kwargs).arguments)
        del arguments[given[0].name]
        return self.outputs(arguments.pop(LABELS, None), arguments)

    forward.__signature__ = bound  # type: ignore[attr-defined]
    kind: type[TrainerModule] = type(f"{type(module).__name__}ForTrainer", (TrainerModule,), {"forward": forward})
    return kind(module, loss)


def next_token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross entropy of each position's next label, as transformers computes it.

    Args:
        logits: float [batch, length, vocab].
        labels: int64 [batch, length], the ids themselves; -100 where a position does not count.
    """
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)


def _without_prefix(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    """Name the tensors of a state dict as the inner module does."""
    for name in [name for name in state if name.startswith(prefix + _PREFIX)]:
        state[prefix + name.removeprefix(prefix + _PREFIX)] = state.pop(name)


def _with_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *others: Any) -> None:
    """Name the tensors of a state dict that is loaded as this module does."""
    for name in [name for name in state if name.startswith(prefix)]:
        state[prefix + _PREFIX + name.removeprefix(prefix)] = state.pop(name)
