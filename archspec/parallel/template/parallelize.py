"""What every emitted `parallelize.py` holds beside its own tables, empty here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar, cast

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard
from torch.utils.checkpoint import checkpoint

from archspec.parallel.template.conversions import (
    Broadcast,
    Conversion,
    Held,
    SharedShard,
    TableRows,
    convert,
    convert_inputs,
    convert_outputs,
    is_part,
)
from archspec.parallel.template.drawing import Draws

S = TypeVar("S")
T = TypeVar("T")

# --- tables ---
RANKS = 1
PARAMETERS: dict[str, Held] = {}
INPUTS: dict[str, dict[int, Conversion]] = {}
OUTPUTS: dict[str, dict[int, Conversion]] = {}
LOOKUPS: dict[str, Conversion] = {}
DIVIDED: dict[str, tuple[str, ...]] = {}
DRAWS: dict[str, tuple[int, ...]] = {}
LAYERS: dict[str, int] = {}
SHAPES: dict[str, tuple[int, ...]] = {}
# --- end of tables ---


def parallelize(
    module: nn.Module,
    mesh: DeviceMesh,
    *,
    checkpoint_layers: bool = False,
    split_outputs: bool = False,
    **options: Any,
) -> nn.Module:
    """Split a module over the ranks of a mesh, in place.

    Raises ValueError for a mesh with other dims, for a module that is split already,
    and for one that is not of the model that this file is for.

    Args:
        module: the module, with its weights or on the meta device.
        mesh: has a dim "tensor" of the ranks that share every layer, a dim "data" of
            those that have data of their own, or both.
        checkpoint_layers: whether the values in layers are computed again for the
            backward pass, and not kept.
        split_outputs: whether results of which each rank has a part, such as logits
            over a vocabulary, are left so: as DTensors, for `loss_parallel`.
        options: further arguments of `fully_shard`.
    """
    names = mesh.mesh_dim_names or ()
    dims = set(names)
    if not dims & {"tensor", "data"} or dims - {"tensor", "data", "pipeline"}:
        raise ValueError(f'expected mesh dims "tensor" and "data", found {names}')
    if options and "data" not in names:
        raise ValueError(f'the mesh has no dim "data" for {", ".join(options)}')
    if split_outputs and not any(is_part(one) for one in OUTPUTS.get("", {}).values()):
        raise ValueError("split_outputs: every rank has all of each result")
    check(module)
    if "tensor" in names:
        split(module, mesh["tensor"], split_outputs)
    layers = list(found(module, LAYERS))
    scalars = hold_scalars(module, mesh) if "data" in names else []
    if scalars and "tensor" not in names:
        for one in (module, *layers):
            vars(one)["forward"] = partial(read_parts, one.forward)
    if checkpoint_layers:
        inner = {one for layer in layers for one in list(layer.modules())[1:]}
        for layer in layers:
            if layer not in inner:
                vars(layer)["forward"] = partial(
                    checkpoint, layer.forward, use_reentrant=False
                )
    if "data" in names:
        cut = partial(data_axis, ranks=mesh["data"].size())
        kept = {"shard_placement_fn": cut, "ignored_params": set(scalars)}
        options = {**kept, **options}
        for one in (*layers, module):
            fully_shard(one, mesh=mesh["data"], **options)
    return module


def data_axis(parameter: nn.Parameter, ranks: int) -> Shard:
    """The axis that data ranks cut: 0, unless some would then have nothing."""
    split: list[int | None] = []
    shape = parameter.shape
    if isinstance(parameter, DTensor):
        split = [getattr(one, "dim", None) for one in parameter.placements]
        shape = parameter.to_local().shape
    if not shape or -(-shape[0] // ranks) * (ranks - 1) < shape[0]:
        return Shard(0)
    even = (axis for axis in range(1, len(shape)) if shape[axis] % ranks == 0)
    return Shard(min(even, key=lambda axis: (axis in split, axis), default=0))


def check(module: nn.Module) -> None:
    """Raise ValueError unless a module is whole and of the model of this file."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if any(isinstance(one, DTensor) for one in tensors.values()):
        raise ValueError("the module is split already: parallelize takes it once")
    wrong = "the module is not of the model that this file is for: "
    for name, tensor in tensors.items():
        shape = first(SHAPES, name, None)
        if shape is None:
            raise ValueError(f"{wrong}it has {name}")
        if tuple(tensor.shape) != shape:
            own = tuple(tensor.shape)
            raise ValueError(f"{wrong}{name} has shape {own}, expected {shape}")
    for pattern in SHAPES:
        if not any(matches(pattern, name) for name in tensors):
            raise ValueError(f"{wrong}it has no {pattern}")
    for pattern, count in LAYERS.items():
        number = len(list(found(module, (pattern,))))
        if number != count:
            raise ValueError(f"{wrong}it has {number} {pattern}, expected {count}")


def split(module: nn.Module, mesh: DeviceMesh, split_outputs: bool = False) -> None:
    """Split parameters over the tensor ranks, and convert values between modules."""
    if mesh.size() != RANKS:
        raise ValueError(f"this plan is for {RANKS} tensor ranks, not {mesh.size()}")
    meshes, draws = groups(mesh), Draws(mesh)
    for one in (module, *found(module, LAYERS)):
        vars(one)["forward"] = partial(read_parts, one.forward)
    for path, one in list(module.named_modules()):
        hold(one, path, meshes)
        alike = first(DRAWS, path, None)
        if alike is not None:
            vars(one)["forward"] = partial(draws.run, one, one.forward, alike)
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
                leave = split_outputs and one is module
                one.register_forward_hook(
                    partial(convert_outputs, mesh=mesh, table=outputs, leave=leave)
                )


class LocalReads:
    """How many forwards are running, in which parameters are read as parts."""

    depth = 0


def read_parts(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a forward that reads of every parameter the part that this rank holds."""
    LocalReads.depth += 1
    try:
        return forward(*args, **kwargs)
    finally:
        LocalReads.depth -= 1


def found(module: nn.Module, patterns: Iterable[str]) -> Iterator[nn.Module]:
    """Modules by the patterns of their paths, inner ones first."""
    paths = [
        path
        for path, _ in module.named_modules()
        if any(matches(one, path) for one in patterns)
    ]
    return (module.get_submodule(path) for path in reversed(paths))


def matches(pattern: str, path: str) -> bool:
    """Whether a path has a pattern: `*` is any number, `2-4+7` is 2, 3, 4 or 7."""
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


def hold(module: nn.Module, path: str, meshes: dict[int, DeviceMesh]) -> None:
    """Make a module's tensors DTensors, of which its code reads the rank's part."""
    reads: dict[str, property] = {}
    tensors: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
    for name, tensor in [item for kind in tensors for item in kind.items()]:
        own = f"{path}.{name}" if path else name
        held: Held = first(PARAMETERS, own, Replicate())
        is_parameter = isinstance(tensor, nn.Parameter)
        if tensor is None or (not is_parameter and held == Replicate()):
            continue
        made = parted(tensor.detach(), held, meshes)
        if is_parameter:
            made = nn.Parameter(made, requires_grad=tensor.requires_grad)
        tensors[not is_parameter][name] = made
        lookup = first(LOOKUPS, own, None)
        reads[name] = property(
            partial(read, name=name, held=held, meshes=meshes, lookup=lookup)
        )
    read_by(module, reads)


def read_by(module: nn.Module, reads: dict[str, property]) -> None:
    """Have the code of a module read some of its tensors in other ways."""
    if reads:
        own_kind = type(module)
        names = {**reads, "__module__": own_kind.__module__}
        module.__class__ = type(own_kind.__name__, (own_kind,), names)


def hold_scalars(module: nn.Module, mesh: DeviceMesh) -> list[nn.Parameter]:
    """Hold parameters without axes, which `fully_shard` does not take, on every rank.

    Their gradients are the mean of those of the data ranks. Returns them.
    """
    names = mesh.mesh_dim_names or ()
    every = mesh[tuple(name for name in ("data", "tensor") if name in names)]
    scalars: list[nn.Parameter] = []
    for one in module.modules():
        reads: dict[str, property] = {}
        for name, parameter in list(one.named_parameters(recurse=False)):
            if parameter.ndim:
                continue
            whole = parameter.detach()
            local = whole.to_local() if isinstance(whole, DTensor) else whole
            made = DTensor.from_local(local, every, [Replicate()] * every.ndim)
            scalars.append(nn.Parameter(made, requires_grad=parameter.requires_grad))
            one._parameters[name] = scalars[-1]
            own = getattr(type(one), name, None)
            inner = own.fget if isinstance(own, property) else None
            reads[name] = property(
                partial(read_scalar, name=name, inner=inner, mesh=mesh["data"])
            )
        read_by(one, reads)
    return scalars


def read_scalar(
    module: nn.Module,
    *,
    name: str,
    inner: Callable[[nn.Module], Tensor] | None,
    mesh: DeviceMesh,
) -> Tensor:
    """What code reads of a parameter without axes."""
    whole: Any = module._parameters[name]
    if not LocalReads.depth:
        return cast(Tensor, whole)
    local: Tensor = inner(module) if inner else whole.to_local()
    # Its value, and the sum of the gradients over the number of ranks.
    summed = convert(local, mesh, Replicate(), Broadcast())
    return local.detach() + (summed - summed.detach()) / mesh.size()


def first(table: Mapping[str, S], path: str, default: T) -> S | T:
    """The first entry of a table whose pattern a path has."""
    return next((one for key, one in table.items() if matches(key, path)), default)


def groups(mesh: DeviceMesh) -> dict[int, DeviceMesh]:
    """The tensor ranks by the number of those that share a part."""
    shared = {
        held.copies for held in PARAMETERS.values() if isinstance(held, SharedShard)
    }
    names = ("parts", "copies")
    made = {n: mesh._unflatten(0, (mesh.size() // n, n), names) for n in sorted(shared)}
    return {1: mesh, **made}


def parted(tensor: Tensor, held: Held, meshes: dict[int, DeviceMesh]) -> Tensor:
    """A tensor of which every rank has all, as a DTensor; nothing is sent."""
    placements: list[Placement]
    mesh, placements = meshes[1], [held if isinstance(held, Shard) else Replicate()]
    if isinstance(held, SharedShard):
        mesh, placements = meshes[held.copies], [Shard(held.axis), Replicate()]
    whole = DTensor.from_local(tensor, mesh, [Replicate()] * mesh.ndim)
    made = whole.redistribute(placements=placements)
    return made if made is whole else made.clone()


def read(
    module: nn.Module,
    *,
    name: str,
    held: Held,
    meshes: dict[int, DeviceMesh],
    lookup: Conversion | None,
) -> Tensor:
    """What code reads of a parameter or a buffer: the part that this rank holds."""
    kind = module._parameters if name in module._parameters else module._buffers
    whole, mesh = kind[name], meshes[1]
    assert isinstance(whole, DTensor)
    if not LocalReads.depth:
        return whole
    local = whole.to_local()
    if isinstance(held, Partial) and mesh.get_local_rank() > 0:
        # Terms add up to the first rank's; each has all of the gradient.
        local = local - local.detach()
    if isinstance(held, SharedShard):
        local = convert(local, meshes[held.copies]["copies"], Replicate(), Broadcast())
    if isinstance(held, Broadcast):
        local = convert(local, mesh, Replicate(), Broadcast())
    if lookup is None:
        return local
    return TableRows.of(local, mesh, lookup, is_whole=not isinstance(held, Shard))
