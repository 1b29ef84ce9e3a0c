"""Models of transformers in float64 throughout: their code names float32 for norms, softmax and rotary angles."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archspec.model.runner import Array, Arrays, Runner


class _Float64(TorchFunctionMode):
    """Replaces float32 by float64 wherever an argument names it, and `float()` by `double()`."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run the function, or the one of the wider dtype."""
        if func is Tensor.float:
            return Tensor.double(*args)
        given: Mapping[str, Any] = kwargs or {}
        return func(*map(_wide, args), **{name: _wide(value) for name, value in given.items()})


def _wide(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


@contextmanager
def in_float64() -> Iterator[None]:
    """Compute everything in float64 that code says is float32, new tensors included."""
    before, named = torch.get_default_dtype(), torch.FloatTensor
    torch.set_default_dtype(torch.float64)
    # A type, which no mode sees: tables of sinusoids are made by it.
    _rename(torch.DoubleTensor)
    try:
        with _Float64():
            yield
    finally:
        _rename(named)
        torch.set_default_dtype(before)


def _rename(made: object, name: str = "FloatTensor") -> None:
    setattr(torch, name, made)


def doubled(model: nn.Module) -> nn.Module:
    """A model with the same parameters in float64.

    It is built anew from its configuration, because tables that its constructor computes, such as the rates of rotary
    positions, would otherwise stay rounded to float32. So would tables that it computes and a file stores, such as
    sinusoids: what rounds to the stored tensor is kept.
    """
    made: Any = type(model)
    with in_float64():
        twin: nn.Module = made(copy.deepcopy(model.config))
    _untie(twin, model)
    made_anew = twin.state_dict()
    stored = {
        name: made_anew[name] if name in made_anew and torch.equal(made_anew[name].to(tensor.dtype), tensor) else tensor
        for name, tensor in model.state_dict().items()
    }
    twin.load_state_dict(stored, strict=True)
    return twin.double().eval().requires_grad_(False)


def _untie(twin: nn.Module, model: nn.Module) -> None:
    """Give the twin parameters of their own where the model has them: files may hold two for what should be one."""
    wanted, first = dict(model.named_parameters(remove_duplicate=False)), dict[int, str]()
    for name, parameter in list(twin.named_parameters(remove_duplicate=False)):
        other = first.setdefault(id(parameter), name)
        if wanted[name] is not wanted[other]:
            module, _, own = name.rpartition(".")
            setattr(twin.get_submodule(module), own, nn.Parameter(parameter.detach().clone()))


class Float64Runner:
    """Runs another runner with everything in float64; `model` is what it runs."""

    def __init__(self, runner: Runner, model: nn.Module) -> None:
        self.runner = runner
        self.model = model

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """Outputs by name. Raises SpecError as the runner does."""
        _forget(self.model)
        try:
            with in_float64():
                return self.runner.run(arrays)
        finally:
            _forget(self.model)


def _forget(model: nn.Module) -> None:
    """Empty the caches of functions beside a model's class: their tensors are of the dtype of the first run."""
    for function in vars(sys.modules[type(model).__module__]).values():
        # transformers wraps them once more, so that the cache is in the closure.
        for cell in getattr(function, "__closure__", None) or ():
            # A cell is empty until its variable is assigned.
            with suppress(ValueError):
                _clear(cell.cell_contents)
        _clear(function)


def _clear(one: Any) -> None:
    if callable(getattr(one, "cache_clear", None)):
        one.cache_clear()
