"""Load an emitted module: import its file and put its weights in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analyses.memory import require_inputs
from archspec.diagnostics import Collector, fail
from archspec.engines.program import Program
from archspec.ir.types import DType
from archspec.model.ports import DTypeName, Port, shape_at

if TYPE_CHECKING:
    from torch import Tensor, nn


_WIDER = "build in float32, or in bfloat16, whose range is wider than that of float16"


def module_class(source: Path, name: str) -> type[nn.Module]:
    """Return the class that an emitted file defines.

    The file is executed: pass only files that archspec has just written.
    """
    spec = spec_from_file_location(f"archspec_emitted_{source.stem}", source)
    # A path that ends in `.py` always has a loader.
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[nn.Module] = getattr(module, name)
    return found


def load_module(program: Program, dtype: DTypeName) -> nn.Module:
    """Return the program's module in eval mode with its weights in `dtype`.

    The module's own initialisation never runs, and its parameters require no gradient. Raises SpecError E607 if the
    names or shapes of the weights are not the module's, E527 if a value overflows `dtype`.
    """
    import torch
    from safetensors.torch import load_file

    # On the meta device the constructor allocates nothing; `assign` then puts the loaded tensors in.
    with torch.device("meta"):
        module = module_class(program.source, program.module)()
    state = load_file(program.weights)
    if program.partial:
        # A part of a model uses only some of the weights in the file.
        own = module.state_dict()
        state = {name: tensor for name, tensor in state.items() if name in own}
    try:
        module.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        notes = [line.strip() for line in str(error).splitlines()[1:6]]
        fail("E607", f"the weights do not fit the module {program.module}", None, notes=notes)
    _check_range(module, torch_dtype(dtype))
    return module.eval().requires_grad_(False).to(torch_dtype(dtype))


def _check_range(module: nn.Module, dtype: Any) -> None:
    """Raise SpecError with an E527 for every weight that overflows a dtype."""
    import torch

    largest = torch.finfo(dtype).max
    found = Collector()
    for name, tensor in module.state_dict().items():
        # Values slightly above the largest number may still round down to it, so the conversion decides.
        wrong = tensor.isfinite() & ~tensor.to(dtype).isfinite() if _may_exceed(tensor, largest) else None
        if wrong is not None and bool(wrong.any()):
            place = tuple(wrong.nonzero()[0].tolist())
            word = str(dtype).removeprefix("torch.")
            message = f"`{name}` contains {tensor[place].item():g} at {list(place)}, which overflows {word}"
            notes = [f"{int(wrong.sum())} of {tensor.numel()} values are beyond {largest:g}"]
            found.error("E527", message, None, notes=notes, help=_WIDER)
    found.raise_if_errors()


def _may_exceed(tensor: Tensor, largest: float) -> bool:
    """Whether a tensor has values near or above `largest`; spares most tensors a conversion."""
    # Floats of eight bits end at 448, and torch has no arithmetic for them.
    if tensor.element_size() == 1:
        return False
    return tensor.is_floating_point() and bool(tensor.numel()) and float(tensor.abs().amax()) > 0.99 * largest


def torch_dtype(dtype: DTypeName) -> Any:
    """Return torch's dtype for a name."""
    import torch

    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[dtype]


def port_dtype(port: Port, dtype: DTypeName) -> Any:
    """Return torch's dtype of a port, in a module whose floats have `dtype`."""
    import torch

    exact = {DType.INT64: torch.int64, DType.INT32: torch.int32, DType.INT8: torch.int8, DType.BOOL: torch.bool}
    return exact.get(port.type.dtype) or torch_dtype(dtype)


def named_arguments(module: nn.Module, tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    """Map tensors to the parameter names of the emitted `forward`, so that keyword-only ones can be passed too.

    `tensors` are in the declared order. Raises ValueError if there are more or fewer tensors than parameters.
    """
    return dict(zip(signature(module.forward).parameters, tensors, strict=True))


def example_inputs(ports: Sequence[Port], sizes: dict[str, int], dtype: DTypeName) -> tuple[Tensor, ...]:
    """Return inputs to trace with: ones for bool, zeros for other dtypes, since tracing does not read values.

    `sizes` are by dim. Raises SpecError E504 if inputs of these sizes do not fit into memory.
    """
    import torch

    require_inputs({port.name: port.type for port in ports}, sizes)
    return tuple(_example(torch, shape_at(port, sizes), port_dtype(port, dtype)) for port in ports)


def _example(torch: Any, shape: tuple[int, ...], dtype: Any) -> Tensor:
    """Return ones for bool, zeros for other dtypes."""
    tensor: Tensor = torch.ones(shape, dtype=dtype) if dtype == torch.bool else torch.zeros(shape, dtype=dtype)
    return tensor


def named_outputs(result: Any, names: Sequence[str]) -> dict[str, Tensor]:
    """Return the outputs of a module by name; it returned a tensor, a tuple in declared order, or a dict."""
    if isinstance(result, dict):
        return {name: result[name] for name in names}
    values = result if isinstance(result, (tuple, list)) else (result,)
    return dict(zip(names, values, strict=True))
