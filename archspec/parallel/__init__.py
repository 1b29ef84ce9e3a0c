"""Plans of how a module runs on several ranks of `torch.distributed`, and the code that applies them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.parallel.applying import parallelize
    from archspec.parallel.checkpoints import Resumed, resume, save
    from archspec.parallel.clipping import clip_gradients
    from archspec.parallel.initialising import initialise
    from archspec.parallel.trainer import for_trainer, next_token_loss

_HOMES = {
    "Resumed": "archspec.parallel.checkpoints",
    "clip_gradients": "archspec.parallel.clipping",
    "for_trainer": "archspec.parallel.trainer",
    "initialise": "archspec.parallel.initialising",
    "next_token_loss": "archspec.parallel.trainer",
    "parallelize": "archspec.parallel.applying",
    "resume": "archspec.parallel.checkpoints",
    "save": "archspec.parallel.checkpoints",
}

__all__ = [
    "Resumed",
    "clip_gradients",
    "for_trainer",
    "initialise",
    "next_token_loss",
    "parallelize",
    "resume",
    "save",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec.parallel' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
