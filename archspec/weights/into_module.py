"""Copy weights into a module in memory: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from archspec.diagnostics import Collector, fail
from archspec.layouts.operations import Shape
from archspec.layouts.report import also, and_more
from archspec.weights.choose import without_wrappers
from archspec.weights.files import alone
from archspec.weights.parts import device_of, is_distributed, local_part

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def put_into(module: nn.Module, tensors: Mapping[str, Tensor], *, keep: bool = True) -> None:
    """Copy tensors into a module's parameters and buffers, converted to the dtypes that these have.

    `tensors` are named as in the compiled module; the names of `module` may have wrapper prefixes in front. A module on
    the meta device gets the tensors themselves, or copies of those that share memory; of all, if `keep`. The module is
    unchanged if an error is raised.
    Raises SpecError E607 for a module with other tensors or of which a part has no memory, E527 for values that its
    dtype cannot hold.
    """
    import torch

    actual, held = held_tensors(module, tensors)
    check_names(held, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    found = Collector()
    for name, tensor in tensors.items():
        check_range(name, tensor, held[name], found)
    found.raise_if_errors()
    # Every check is done before the first copy, so that no module is left half filled.
    if all(tensor.is_meta for tensor in held.values()):
        made = {actual[name]: _placed(tensor, held[name].dtype, keep) for name, tensor in tensors.items()}
        module.load_state_dict(made, strict=True, assign=True)
        return
    with torch.no_grad():
        for name, tensor in tensors.items():
            held[name].copy_(tensor)


def put_parts(module: nn.Module, parts: Mapping[str, tuple[Tensor, Tensor]], *, keep: bool = True) -> None:
    """Put what this rank holds of each tensor into a module, converted to the dtypes that it has.

    `parts` are by the names of the module's state dict: a parameter or buffer, which may be a DTensor, and the part.
    A module on the meta device gets memory on the devices of its meshes, and copies only of parts that lie in larger
    memory if not `keep`.
    """
    import torch

    if not all(held.is_meta for held, _ in parts.values()):
        with torch.no_grad():
            for held, part in parts.values():
                local_part(held).copy_(part)
        return
    device = device_of(held for held, _ in parts.values())
    made = {name: _like(held, _placed(part, held.dtype, keep).to(device)) for name, (held, part) in parts.items()}
    module.load_state_dict(made, strict=True, assign=True)


def _like(held: Tensor, part: Tensor) -> Tensor:
    """The part of a tensor as a tensor that is distributed as another one."""
    if not is_distributed(held):
        return part
    mesh, placements = held.device_mesh, held.placements
    made: Tensor = type(held).from_local(
        part, mesh, placements, run_check=False, shape=held.shape, stride=held.stride()
    )
    return made


def held_tensors(module: nn.Module, names: Iterable[str]) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the names in a module's state dict, and its parameters and buffers, by the names of the compiled module.

    `names` are those of the compiled module; the module's own may have wrapper prefixes in front.
    """
    own = module.state_dict(keep_vars=True)
    actual = without_wrappers(names, own)
    return actual, {name: own[actual[name]] for name in actual}


def is_stage(module: nn.Module) -> bool:
    """Whether a module is a stage of a pipeline, which `make_stage` of its `pipeline.py` made."""
    return "pipeline_stage" in vars(module)


def own_shapes(module: nn.Module, shapes: Mapping[str, Shape]) -> Mapping[str, Shape]:
    """The shapes that a module must have of those of a model: of all tensors, of a stage of those that it names."""
    if not is_stage(module):
        return shapes
    names = set(without_wrappers(shapes, module.state_dict(keep_vars=True)))
    return {name: shape for name, shape in shapes.items() if name in names}


def _placed(tensor: Tensor, dtype: torch.dtype, keep: bool) -> Tensor:
    """A tensor that a module may own: in a dtype, contiguous, and a copy of one that is kept or shares memory."""
    import torch

    made = tensor.to(dtype)
    return made.clone(memory_format=torch.contiguous_format) if keep and made is tensor else alone(made)


def of_one_dtype(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors whose floats share one dtype: unchanged if they do and it is not float64, otherwise as float32.

    Raises SpecError E527 for values that float32 cannot hold.
    """
    import torch

    floats = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}
    dtypes = {tensor.dtype for tensor in floats.values()}
    if len(dtypes) <= 1 and torch.float64 not in dtypes:
        return dict(tensors)
    held = torch.empty(0, dtype=torch.float32)
    found = Collector()
    for name, tensor in floats.items():
        check_range(name, tensor, held, found)
    found.raise_if_errors()
    return {name: tensor.to(held.dtype) if name in floats else tensor for name, tensor in tensors.items()}


def check_names(held: Mapping[str, Tensor], shapes: Mapping[str, Shape]) -> None:
    """Raise E607 if names or shapes differ, or if some of the module's tensors are on the meta device."""
    missing = [name for name in shapes if name not in held]
    unknown = [name for name in held if name not in shapes]
    other = [name for name in shapes if name in held and tuple(held[name].shape) != tuple(shapes[name])]
    notes = [f"`{names[0]}`{and_more(names)} missing in the module" for names in [missing] if names]
    notes += [f"`{names[0]}`{and_more(names)} only in the module" for names in [unknown] if names]
    for name in other[:4]:
        notes.append(f"`{name}` is {list(held[name].shape)} in the module, {list(shapes[name])} in the weights")
    if notes:
        help = "pass the module that `archspec.compile` returns for this spec"
        fail("E607", "the module does not belong to this spec", None, notes=notes, help=help)
    empty = [name for name, tensor in held.items() if tensor.is_meta]
    if 0 < len(empty) < len(held):
        help = 'allocate it first: module.to_empty(device="cpu")'
        fail("E607", f"`{empty[0]}`{and_more(empty)} is not allocated", None, notes=also(empty), help=help)


def check_range(name: str, tensor: Tensor, held: Tensor, found: Collector) -> None:
    """Report E527 for a finite value that becomes infinite in the dtype of the module."""
    import torch

    if is_in_range(tensor, held.dtype):
        return
    position = tuple(_lost(tensor, held.dtype).nonzero()[0].tolist())
    dtype = str(held.dtype).removeprefix("torch.")
    message = f"`{name}` {list(tensor.shape)} contains {tensor[position].item():g} at {list(position)}"
    # The exponents of bfloat16 are those of float32: only a module in half precision has a wider one to go to.
    narrow = held.dtype.itemsize < 4 and held.dtype != torch.bfloat16
    help = "keep the module in bfloat16 or float32" if narrow else "use a checkpoint whose values are in range"
    found.error("E527", f"{message}, too large for {dtype}", None, help=help)


def is_in_range(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether every finite value stays finite in a dtype."""
    if tensor.dtype == dtype or not (tensor.is_floating_point() and dtype.is_floating_point):
        return True
    return not bool(_lost(tensor, dtype).any())


def _lost(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Whether each value is finite and becomes infinite in a dtype."""
    import torch

    return torch.isfinite(tensor) & ~torch.isfinite(tensor.to(dtype))
