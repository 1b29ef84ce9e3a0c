"""A PyTorch module, ours or anyone's, or a function on tensors, as a runner."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archspec.contract.binding import bound
from archspec.diagnostics import fail
from archspec.model.runner import Array, Arrays

Model = Callable[..., Any]
_FAILURES = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, AssertionError)


class _BatchNorms(TorchFunctionMode):
    """Sees whether a batch norm runs in training mode."""

    found: bool = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run the function."""
        given = kwargs or {}
        if func is F.batch_norm:
            self.found = self.found or bool(given.get("training", args[5] if len(args) > 5 else False))
        return func(*args, **given)


class TorchRunner:
    """Runs a module on arrays by name.

    `arguments` are the names that `forward` has for inputs, where they differ; `bound` tells which input goes where,
    and raises SpecError E734. `picks` say where outputs are found in what it returns: a
    key, an attribute or an index; left out, the output's own name, or its place. `bools` is the dtype that bool inputs
    are given in, for models that take masks of zeros and ones.
    """

    def __init__(
        self,
        model: Model,
        inputs: Iterable[str],
        outputs: Iterable[str],
        *,
        arguments: Mapping[str, str] | None = None,
        picks: Mapping[str, str | int] | None = None,
        bools: torch.dtype = torch.bool,
        floats: torch.dtype = torch.float32,
    ) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.model = model
        self.arguments = dict(arguments or {})
        function = model.forward if isinstance(model, nn.Module) else model
        self._names = bound(function, self.inputs, self.arguments)
        self.picks = dict(picks or {})
        self.bools = bools
        self.floats = floats

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """Outputs by name. Raises SpecError E731 where the model fails, E730 for an output that it does not give."""
        try:
            with torch.no_grad():
                found = self.call(self.tensors(arrays))
        except _FAILURES as error:
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
            notes = [f"{type(error).__name__}: {line}" for line in str(error).strip().splitlines()[:3]]
            fail("E731", f"the model fails on {shapes}", None, notes=notes)
        return {name: array_of(tensor) for name, tensor in found.items()}

    def trains_a_batch_norm(self, arrays: Arrays) -> bool:
        """Whether a batch norm takes its statistics from these inputs. Raises SpecError E730 or E731."""
        with _BatchNorms() as watch:
            self.run(arrays)
        return bool(watch.found)

    def tensors(self, arrays: Arrays) -> dict[str, Tensor]:
        """Inputs as the model takes them."""
        return {name: self._tensor(array) for name, array in arrays.items()}

    def call(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name. Raises SpecError E730, and whatever the model raises."""
        result = self._result(tensors)
        return {name: self._pick(result, place, name) for place, name in enumerate(self.outputs)}

    def exact(self) -> TorchRunner | None:
        """The same module in float64; None for a function, whose parameters are out of reach."""
        if not isinstance(self.model, nn.Module):
            return None
        return self.over(copy.deepcopy(self.model).double(), torch.float64)

    def over(self, model: Model, floats: torch.dtype) -> TorchRunner:
        """Another model that is called in the same way."""
        options: dict[str, Any] = {"arguments": self.arguments, "picks": self.picks, "bools": self.bools}
        return TorchRunner(model, self.inputs, self.outputs, floats=floats, **options)

    def _tensor(self, array: Array) -> Tensor:
        tensor = torch.from_numpy(np.array(array))
        if tensor.dtype == torch.bool:
            return tensor.to(self.bools)
        return tensor.to(self.floats) if tensor.is_floating_point() else tensor

    def _result(self, tensors: Mapping[str, Tensor]) -> Any:
        if self._names is None:
            return self.model(*tensors.values())
        return self.model(**{self._names[name]: tensor for name, tensor in tensors.items()})

    def _pick(self, result: Any, place: int, name: str) -> Tensor:
        found = _part(result, self.picks.get(name, name))
        if found is None and name not in self.picks:
            found = _part(result, place) if isinstance(result, (tuple, list, Mapping)) else result
        if not isinstance(found, Tensor):
            fail(
                "E730",
                f"the model has no output `{name}`",
                None,
                help="specify where it is in the return value of the model",
            )
        return found


def _part(result: Any, key: str | int) -> Any:
    if isinstance(key, int):
        values = list(result.values()) if isinstance(result, Mapping) else result
        return values[key] if isinstance(values, (tuple, list)) and -len(values) <= key < len(values) else None
    if isinstance(result, Mapping):
        return result.get(key)
    return None if isinstance(result, Tensor) else getattr(result, key, None)


def array_of(tensor: Tensor) -> Array:
    """A tensor as an array; half precision widened."""
    found = tensor.detach().cpu()
    half = found.dtype in (torch.bfloat16, torch.float16)
    array: Array = (found.float() if half else found).numpy()
    return array
