"""From a spec to the class and the instance of its PyTorch module."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from archspec.analyses.memory import require_parameters
from archspec.lower import cache
from archspec.lower.emission import emit
from archspec.lower.importing import PACKAGE
from archspec.lower.naming import class_name
from archspec.model.checked import Checked

if TYPE_CHECKING:
    from torch import nn


def compile(checked: Checked, *, expose: Sequence[str] = ()) -> nn.Module:
    """The PyTorch module of a spec, with fresh parameters.

    Args:
        checked: a spec that was accepted; `archspec.compile` checks one first.
        expose: paths of inner values that become outputs, such as `states.layers.3.attention.weights`.

    Returns:
        the module, in training mode; under `torch.device("meta")` its parameters take no memory.

    Raises:
        SpecError: where the spec cannot be lowered; E504 where memory cannot hold its parameters.
    """
    check_memory(checked)
    return module_class(checked, expose=expose)()


def check_memory(checked: Checked) -> None:
    """Refuse parameters that cannot be held where torch would make them now. Raises SpecError E504."""
    import torch

    bytes_ = torch.get_default_dtype().itemsize
    on_host = torch.get_default_device().type == "cpu"
    require_parameters(checked.spec.name, checked.cost.parameters, bytes_, allocated=on_host)


def module_class(checked: Checked, *, expose: Sequence[str] = ()) -> type[nn.Module]:
    """The class of a spec's module: it is called without arguments, and lives in `archspec.generated.HASH`.

    Arguments and errors are those of `compile`.
    """
    return class_in(emit(checked, expose=expose), checked.spec.name)


def class_in(source: str, name: str) -> type[nn.Module]:
    """The class that an emitted file defines for a name. Raises SpecError E503."""
    module = import_module(f"{PACKAGE}.{cache.store(source)}")
    found: type[nn.Module] = getattr(module, class_name(name))
    return found
