"""From a spec to the class and the instance of its PyTorch module."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.analyses.cost import cost
from archspec.analyses.memory import require_parameters
from archspec.lower import cache
from archspec.lower.emission import emit
from archspec.lower.importing import PACKAGE
from archspec.lower.naming import class_name
from archspec.spec import Spec, load
from archspec.spec.elaborate import elaborate

if TYPE_CHECKING:
    from torch import nn


def compile(spec: Spec | str | Path, *, expose: Sequence[str] = ()) -> nn.Module:
    """The PyTorch module of a spec, with fresh parameters.

    Args:
        spec: a loaded spec, a file, or the bare name of a shipped spec.
        expose: paths of inner values that become outputs, such as `states.layers.3.attention.weights`.

    Returns:
        the module, in training mode; under `torch.device("meta")` its parameters take no memory.

    Raises:
        SpecError: where the spec is wrong or cannot be lowered; E504 where memory cannot hold its parameters.
    """
    loaded = _loaded(spec, tuple(expose))
    check_memory(loaded)
    return module_class(loaded)()


def check_memory(spec: Spec) -> None:
    """Refuse parameters that cannot be held where torch would make them now. Raises SpecError E504."""
    import torch

    bytes_ = torch.get_default_dtype().itemsize
    on_host = torch.get_default_device().type == "cpu"
    require_parameters(spec.name, cost(spec.graph).parameters, bytes_, allocated=on_host)


def module_class(spec: Spec | str | Path, *, expose: Sequence[str] = ()) -> type[nn.Module]:
    """The class of a spec's module: it is called without arguments, and lives in `archspec.generated.HASH`.

    Arguments and errors are those of `compile`.
    """
    loaded = _loaded(spec, tuple(expose))
    return class_in(emit(loaded), loaded.name)


def class_in(source: str, name: str) -> type[nn.Module]:
    """The class that an emitted file defines for a name. Raises SpecError E503."""
    module = import_module(f"{PACKAGE}.{cache.store(source)}")
    found: type[nn.Module] = getattr(module, class_name(name))
    return found


def _loaded(spec: Spec | str | Path, expose: tuple[str, ...]) -> Spec:
    if not isinstance(spec, Spec):
        return load(spec, expose=expose)
    if not expose:
        return spec
    return elaborate(spec.tree, path=spec.path, reduced=spec.reduced, as_written=spec.as_written, expose=expose)
