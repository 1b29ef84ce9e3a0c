"""The class and instances of the PyTorch module of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from archspec.analyses.memory import require_parameters
from archspec.lower.cache import store
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
        SpecError: E501 or E502 if the spec cannot be lowered, E201 or E218 for a path that names no value, E503 if the
            source cannot be stored, E504 if memory cannot hold the parameters.
    """
    check_memory(checked)
    return module_class(checked, expose=expose)()


def check_memory(checked: Checked) -> None:
    """Check that memory can hold the parameters in torch's current default dtype and on its default device.

    Raises:
        SpecError: E504 if it cannot.
    """
    import torch

    bytes_ = torch.get_default_dtype().itemsize
    # On the meta device nothing is allocated, and the free memory of other devices is not known here.
    on_host = torch.get_default_device().type == "cpu"
    require_parameters(checked.spec.name, checked.cost.parameters, bytes_, allocated=on_host)


def module_class(checked: Checked, *, expose: Sequence[str] = ()) -> type[nn.Module]:
    """The class of a spec's module, which is created without arguments and belongs to `archspec.generated.HASH`.

    Arguments and errors are those of `compile`, except E504, because no parameters are made.
    """
    return class_in(emit(checked, expose=expose), checked.spec.name)


def class_in(source: str, name: str) -> type[nn.Module]:
    """Store and import an emitted file, and return the class that it defines for a name.

    Args:
        source: the text of the file.
        name: the name that the file was emitted with.

    Raises:
        SpecError: E503 if the file cannot be stored.
    """
    found: type[nn.Module] = getattr(stored_module(source), class_name(name))
    return found


def stored_module(source: str) -> ModuleType:
    """Store and import an emitted file as `archspec.generated.HASH`. Raises SpecError E503 if it cannot be stored."""
    return import_module(f"{PACKAGE}.{store(source)}")
