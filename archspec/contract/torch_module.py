"""A PyTorch module, emitted or written by a user, or a function on tensors, as a runner."""

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
from archspec.diagnostics import SpecError, fail
from archspec.model.runner import Array, Arrays

Model = Callable[..., Any]


class _BatchNorms(TorchFunctionMode):
    """Records whether a batch norm runs in training mode."""

    found: bool = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run the function, and inspect its arguments if it is a batch norm."""
        given = kwargs or {}
        # `training` is the sixth parameter of `F.batch_norm` if it is given by position.
        if func is F.batch_norm:
            self.found = self.found or bool(given.get("training", args[5] if len(args) > 5 else False))
        return func(*args, **given)


class TorchRunner:
    """Runs a module or function on arrays by name.

    Args:
        model: the module, which is used as it is, or a function on tensors.
        inputs: names of the inputs, in the declared order.
        outputs: names of the outputs, in the declared order.
        arguments: the parameter names of `forward` by input, where they differ; see `bound`.
        picks: where each output is found in the return value: a key, an attribute or an index. An output without an
            entry is looked up by its own name, then by its index among the outputs.
        bools: the dtype in which bool inputs are passed, for models that take masks of zeros and ones.
        floats: the dtype in which float inputs are passed.

    Raises:
        SpecError: E734 if the inputs cannot be bound to the model's parameters.
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
        """Outputs by name, without gradients. Raises SpecError E731 if the model fails, E730 for a missing output."""
        try:
            with torch.no_grad():
                found = {name: array_of(tensor) for name, tensor in self.call(self.tensors(arrays)).items()}
        except SpecError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's model may raise anything
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
            notes = [f"{type(error).__name__}: {line}" for line in str(error).strip().splitlines()[:3]]
            fail("E731", f"the model fails on {shapes}", None, notes=notes)
        return found

    def trains_a_batch_norm(self, arrays: Arrays) -> bool:
        """Whether a batch norm in training mode runs on these inputs. Raises SpecError E730 or E731."""
        with _BatchNorms() as watch:
            self.run(arrays)
        return bool(watch.found)

    def tensors(self, arrays: Arrays) -> dict[str, Tensor]:
        """Inputs as tensors on the CPU, in the dtypes that the model takes; integers keep their own."""
        return {name: self._tensor(array) for name, array in arrays.items()}

    def call(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, with gradients. Raises SpecError E730 if an output is missing, and what the model raises."""
        result = self._result(tensors)
        return {name: self._pick(result, place, name) for place, name in enumerate(self.outputs)}

    def exact(self) -> TorchRunner | None:
        """A runner of a copy of the module in float64; None for a function, whose parameters are not accessible."""
        if not isinstance(self.model, nn.Module):
            return None
        # A copy, because `double` converts a module in place.
        return self.over(copied(self.model).double(), torch.float64)

    def over(self, model: Model, floats: torch.dtype) -> TorchRunner:
        """A runner of another model with the same inputs, outputs and options, and float inputs of dtype `floats`."""
        options: dict[str, Any] = {"arguments": self.arguments, "picks": self.picks, "bools": self.bools}
        return TorchRunner(model, self.inputs, self.outputs, floats=floats, **options)

    def _tensor(self, array: Array) -> Tensor:
        # A copy, because a model may write into its inputs.
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
        # Outputs without names are told by their order.
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


def copied(model: nn.Module) -> nn.Module:
    """A copy of a module with parameters of its own. Raises SpecError E731 if the module cannot be copied."""
    try:
        return copy.deepcopy(model)
    except Exception as error:  # noqa: BLE001 - a user's module may hold anything
        notes = [f"{type(error).__name__}: {error}"]
        help = "tests change a copy: hold no locks, open files or tensors with a gradient history in the module"
        fail("E731", f"the module {type(model).__name__} cannot be copied", None, notes=notes, help=help)


def _part(result: Any, key: str | int) -> Any:
    """The value under an index, key or attribute of a return value; None if there is none."""
    if isinstance(key, int):
        values = list(result.values()) if isinstance(result, Mapping) else result
        return values[key] if isinstance(values, (tuple, list)) and -len(values) <= key < len(values) else None
    if isinstance(result, Mapping):
        return result.get(key)
    return None if isinstance(result, Tensor) else getattr(result, key, None)


def array_of(tensor: Tensor) -> Array:
    """A tensor as an array, half precision as float32, because NumPy has no bfloat16."""
    found = tensor.detach().cpu()
    half = found.dtype in (torch.bfloat16, torch.float16)
    array: Array = (found.float() if half else found).numpy()
    return array
