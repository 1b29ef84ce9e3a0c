"""`archspec.compile`: a spec is checked and then becomes a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.checking.checks import SpecSource, accepted
from archspec.lower import modules

if TYPE_CHECKING:
    from torch import nn


def compile(source: SpecSource, *, expose: Sequence[str] = (), unproved: bool = False) -> nn.Module:
    """The PyTorch module of a spec, with freshly initialised parameters.

    Args:
        source: a spec (loaded, a file, or the name of a shipped one), or one that was accepted before.
        expose: paths of inner values that become outputs, such as `states.layers.3.attention.weights`.
        unproved: compile it although something does not hold.

    Returns:
        the module, in training mode; under `torch.device("meta")` its parameters take no memory.

    Raises:
        SpecError: where the spec is wrong, does not hold, or cannot be lowered; E504 where its parameters do not fit in
            memory.
    """
    return modules.compile(accepted(source, unproved=unproved), expose=expose)
