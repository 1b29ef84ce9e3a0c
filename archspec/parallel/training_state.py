"""The state of a module and its optimizer as tensors and other values by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail
from archspec.layouts.report import also, and_more
from archspec.parallel.manifest import refuse
from archspec.record import record

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.distributed.checkpoint.state_dict import StateDictOptions
    from torch.optim import Optimizer

_MODULE, _OPTIMIZER = "module.", "optimizer."


@record(eq=False)
class TrainingState:
    """Tensors, which may be DTensors, and other values of a module and its optimizer by name."""

    tensors: dict[str, Tensor]
    values: Mapping[str, Any]

    def check(self, path: Path, values: Mapping[str, Any]) -> None:
        """Check that a checkpoint has these names, and the shapes and dtypes of the tensors.

        Raises SpecError E942 where it has others, E941 where it cannot be read.
        """
        from safetensors import SafetensorError
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
        from torch.distributed.checkpoint.metadata import TensorStorageMetadata

        try:
            stored = HuggingFaceStorageReader(str(path)).read_metadata().state_dict_metadata
        except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
            refuse(path, str(error).splitlines()[0])
        theirs = {**stored, **values}
        ours = {**self.tensors, **self.values}
        notes = _difference("missing in the checkpoint", [name for name in ours if name not in theirs])
        notes += _difference("only in the checkpoint", [name for name in theirs if name not in ours])
        for name, tensor in self.tensors.items():
            found = stored.get(name)
            if isinstance(found, TensorStorageMetadata):
                pair = [_spelled(*one) for one in ((found.properties.dtype, found.size), (tensor.dtype, tensor.shape))]
                if pair[0] != pair[1]:
                    notes.append(f"`{name}` is {pair[0]} in the checkpoint, {pair[1]} here")
        if notes:
            help = "resume with the module and the optimizer that were saved, or give another folder"
            fail("E942", f"checkpoint {path} is of another module or optimizer", None, notes=notes[:6], help=help)

    def put(self, module: nn.Module, optimizer: Optimizer, values: Mapping[str, Any]) -> None:
        """Give a module and its optimizer the tensors of this state, and other values that were read."""
        from torch.distributed.checkpoint.state_dict import set_state_dict

        state = {**self.tensors, **{name: _as(value, self.values[name]) for name, value in values.items()}}
        parts = [
            {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            for prefix in (_MODULE, _OPTIMIZER)
        ]
        set_state_dict(module, optimizer, model_state_dict=parts[0], optim_state_dict=parts[1], options=_options())


def training_state(module: nn.Module, optimizer: Optimizer) -> TrainingState:
    """Return the state of a module and its optimizer; a fresh optimizer gets its state, at zeros, by this."""
    from torch import Tensor
    from torch.distributed.checkpoint.state_dict import get_state_dict

    with _without_gradients(module):
        states: tuple[Mapping[str, Any], Mapping[str, Any]] = get_state_dict(module, optimizer, options=_options())
    named = {
        f"{prefix}{name}": value
        for prefix, state in zip((_MODULE, _OPTIMIZER), states, strict=True)
        for name, value in state.items()
    }
    return TrainingState(
        tensors={name: value for name, value in named.items() if isinstance(value, Tensor)},
        values={name: value for name, value in named.items() if not isinstance(value, Tensor)},
    )


@contextmanager
def _without_gradients(module: nn.Module) -> Iterator[None]:
    """Set gradients aside: torch makes the state of a fresh optimizer only where there are none."""
    held = [(one, one.grad) for one in module.parameters()]
    for one, _ in held:
        one.grad = None
    try:
        yield
    finally:
        for one, gradient in held:
            one.grad = gradient


def _options() -> StateDictOptions:
    from torch.distributed.checkpoint.state_dict import StateDictOptions

    # One entry for each parameter by its name: groups may be made in another order.
    return StateDictOptions(flatten_optimizer_state_dict=True)


def _as(value: Any, current: Any) -> Any:
    """A value from JSON, which has no tuples, as what stands there now."""
    return tuple(value) if isinstance(current, tuple) and isinstance(value, list) else value


def _difference(what: str, names: list[str]) -> list[str]:
    return [f"`{names[0]}`{and_more(names)} {what}", *also(names)] if names else []


def _spelled(dtype: Any, shape: Any) -> str:
    return f"{str(dtype).removeprefix('torch.')} {list(shape)}"
