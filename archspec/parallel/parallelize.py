"""What every emitted `parallelize.py` holds beside its own tables, which are empty here: see `archspec.parallel.text`.

A value may be `Replicate`, `Shard` or `Partial` over the tensor ranks, as in `torch.distributed.tensor`, or `Copied`:
every rank holds all of it, and a term of its gradient.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard
from torch.utils.checkpoint import checkpoint


class Copied(Replicate):
    """All of a value on every rank, and a term of its gradient: the gradient is the sum over the ranks."""


class Group(NamedTuple):
    """Parts of an axis of which several ranks share one, as they share a head of keys."""

    axis: int
    copies: int


Held = Placement | Group

# --- tables ---
RANKS = 1
PARAMETERS: dict[str, Held] = {}
INPUTS: dict[str, dict[int, tuple[Held, Held]]] = {}
OUTPUTS: dict[str, dict[int, tuple[Held, Held]]] = {}
LOOKUPS: dict[str, tuple[Held, Held] | None] = {}
DIVIDED: dict[str, tuple[str, ...]] = {}
LAYERS: tuple[str, ...] = ()
# --- end of tables ---


def parallelize(
    module: nn.Module, mesh: DeviceMesh, *, checkpoint_layers: bool = False, **options: Any
) -> nn.Module:
    """Split a module over the ranks of a mesh, in place.

    Args:
        module: the module, with its weights or on the meta device.
        mesh: has a dim "tensor" of the ranks that share every layer, a dim "data" of
            those that have data of their own, or both.
        checkpoint_layers: whether the values in layers are computed again for the
            backward pass, and not kept.
        options: further arguments of `fully_shard`.
    """
    names = mesh.mesh_dim_names or ()
    if "tensor" in names:
        split(module, mesh["tensor"])
    if checkpoint_layers:
        for layer in found(module, LAYERS):
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)  # type: ignore[method-assign]
    if "data" in names:
        for layer in found(module, LAYERS):
            fully_shard(layer, mesh=mesh["data"], **options)
        fully_shard(module, mesh=mesh["data"], **options)
    return module


def split(module: nn.Module, mesh: DeviceMesh) -> None:
    """Split parameters over the tensor ranks, and convert values where they enter and leave modules."""
    if mesh.size() != RANKS:
        raise ValueError(f"this plan is for {RANKS} tensor ranks, not {mesh.size()}")
    for path, one in list(module.named_modules()):
        hold(one, path, mesh)
        for pattern, names in DIVIDED.items():
            if matches(pattern, path):
                for name in names:
                    setattr(one, name, getattr(one, name) // RANKS)
        for pattern, inputs in INPUTS.items():
            if matches(pattern, path):
                hook = partial(convert_inputs, mesh=mesh, table=inputs)
                one.register_forward_pre_hook(hook, with_kwargs=True)
        for pattern, outputs in OUTPUTS.items():
            if matches(pattern, path):
                one.register_forward_hook(partial(convert_outputs, mesh=mesh, table=outputs))


def found(module: nn.Module, patterns: tuple[str, ...]) -> Iterator[nn.Module]:
    """Modules by the patterns of their paths, inner ones first."""
    paths = [path for path, _ in module.named_modules() if any(matches(one, path) for one in patterns)]
    return (module.get_submodule(path) for path in reversed(paths))


def matches(pattern: str, path: str) -> bool:
    """Whether a path has a pattern: `*` stands for any number, `2-4+7` for 2, 3, 4 and 7."""
    parts, given = pattern.split("."), path.split(".")
    return len(parts) == len(given) and all(map(part_matches, parts, given))


def part_matches(pattern: str, part: str) -> bool:
    """Whether one part of a path has a part of a pattern."""
    if pattern == part or not part.isdigit():
        return pattern == part
    if pattern == "*":
        return True
    runs = [one.partition("-") for one in pattern.split("+")]
    return all(first.isdigit() for first, _, _ in runs) and any(
        int(first) <= int(part) <= int(last or first) for first, _, last in runs
    )


def hold(module: nn.Module, path: str, mesh: DeviceMesh) -> None:
    """Make the tensors of one module DTensors, of which its code reads the part that this rank holds."""
    reads: dict[str, property] = {}
    for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
        own = f"{path}.{name}" if path else name
        held = next((one for pattern, one in PARAMETERS.items() if matches(pattern, own)), Replicate())
        is_parameter = name in module._parameters
        if not is_parameter and not isinstance(held, Shard):
            continue
        made = parted(tensor.detach(), held, mesh)
        if is_parameter:
            module._parameters[name] = nn.Parameter(made, requires_grad=tensor.requires_grad)
        else:
            module._buffers[name] = made
        rows = next(((True, one) for pattern, one in LOOKUPS.items() if matches(pattern, own)), None)
        reads[name] = reading(name, held, mesh, None if rows is None else (rows[1],))
    if reads:
        kind = type(module)
        module.__class__ = type(kind.__name__, (kind,), {**reads, "__module__": kind.__module__})


def grouped(mesh: DeviceMesh, copies: int) -> DeviceMesh:
    """The tensor ranks as groups that share a part each."""
    return mesh._unflatten(0, (mesh.size() // copies, copies), ("parts", "copies"))


def parted(tensor: Tensor, held: Held, mesh: DeviceMesh) -> DTensor:
    """A tensor of which every rank has all, as a DTensor; nothing is sent."""
    rank, size, stride = mesh.get_local_rank(), tensor.shape, tensor.stride()
    if isinstance(held, Group):
        parts = grouped(mesh, held.copies)
        local = tensor.chunk(parts.size(0), held.axis)[rank // held.copies].clone()
        return DTensor.from_local(local, parts, (Shard(held.axis), Replicate()), shape=size, stride=stride)
    if isinstance(held, Shard):
        local = tensor.chunk(mesh.size(), held.dim)[rank].clone()
        return DTensor.from_local(local, mesh, (held,), shape=size, stride=stride)
    return DTensor.from_local(tensor, mesh, (Replicate(),), shape=size, stride=stride)


def reading(name: str, held: Held, mesh: DeviceMesh, rows: tuple[tuple[Held, Held] | None] | None) -> property:
    """The property by which code reads the part of a parameter that this rank holds."""
    copies = grouped(mesh, held.copies)["copies"] if isinstance(held, Group) else mesh

    def read(module: nn.Module) -> Tensor:
        whole = module._parameters[name] if name in module._parameters else module._buffers[name]
        assert isinstance(whole, DTensor)
        if isinstance(held, Partial):
            return whole.redistribute(placements=(held,)).to_local(grad_placements=(Replicate(),))
        local = whole.to_local()
        if isinstance(held, Copied | Group):
            local = convert(local, copies, Replicate(), Copied())
        return local if rows is None else Rows.of(local, mesh, rows[0])

    return property(read)


class Rows(Tensor):
    """The rows of a table that a rank holds: lookups give zeros in place of the rows of other ranks."""

    mesh: DeviceMesh
    conversion: tuple[Held, Held] | None

    @staticmethod
    def of(table: Tensor, mesh: DeviceMesh, conversion: tuple[Held, Held] | None) -> Rows:
        """The rows of a rank, and how what is looked up is converted."""
        rows = table.as_subclass(Rows)
        rows.mesh, rows.conversion = mesh, conversion
        return rows

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            if func is not F.embedding:
                return func(*args, **(kwargs or {}))
            ids, table = args
            own = ids - table.mesh.get_local_rank() * table.shape[0]
            elsewhere = (own < 0) | (own >= table.shape[0])
            rows = F.embedding(own.masked_fill(elsewhere, 0), table).masked_fill(elsewhere[..., None], 0)
            return rows if table.conversion is None else convert(rows, table.mesh, *table.conversion)


def convert(x: Tensor, mesh: DeviceMesh, source: Held, target: Held) -> Tensor:
    """A value with another placement over the tensor ranks; its gradient is converted back."""
    if isinstance(target, Group):
        # Ranks that share a part each send back a term of its gradient.
        whole = x if isinstance(source, Copied) else convert(x, mesh, source, Copied())
        return whole.chunk(mesh.size() // target.copies, target.axis)[mesh.get_local_rank() // target.copies]
    assert not isinstance(source, Group)
    if isinstance(source, Copied) and isinstance(target, Shard):
        # The gradient is a term: zeros around the part.
        return x.chunk(mesh.size(), target.dim)[mesh.get_local_rank()]
    made = DTensor.from_local(x, mesh, (plain(source),)).redistribute(placements=(plain(target),))
    return made.to_local(grad_placements=(Partial() if isinstance(target, Copied) else plain(target),))


def plain(held: Placement) -> Placement:
    """A placement as `torch.distributed.tensor` has it."""
    return Replicate() if isinstance(held, Copied) else held


def convert_inputs(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, mesh: DeviceMesh, table: dict[int, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Convert arguments of a module before its forward."""
    names = list(inspect.signature(module.forward).parameters)
    converted = list(args)
    for number, (source, target) in table.items():
        if number < len(args):
            converted[number] = convert(args[number], mesh, source, target)
        elif names[number] in kwargs:
            kwargs[names[number]] = convert(kwargs[names[number]], mesh, source, target)
    return tuple(converted), kwargs


def convert_outputs(module: nn.Module, args: Any, result: Any, *, mesh: DeviceMesh, table: dict[int, Any]) -> Any:
    """Convert results of a module after its forward."""
    if isinstance(result, Tensor):
        return convert(result, mesh, *table[0])
    made = [convert(one, mesh, *table[number]) if number in table else one for number, one in enumerate(result)]
    return type(result)(*made) if hasattr(result, "_fields") else tuple(made)
