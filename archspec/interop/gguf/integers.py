"""The integers of a bundle as blocks of a GGUF file: the same integers, and their scales in float16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from math import prod
from typing import TYPE_CHECKING

from archspec.diagnostics import Collector
from archspec.ir.storage import SCALE, Storage
from archspec.layouts.bind import Binding, bind
from archspec.layouts.layout import Layout
from archspec.layouts.operations import Shape
from archspec.record import record
from archspec.weights.apply import export_binding
from archspec.weights.gguf.blocks import pack
from archspec.weights.gguf.writing import Blocks
from archspec.weights.into_module import check_range
from archspec.weights.match import checkpoint_of
from archspec.weights.places import places_of_blocks

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 32


@record(eq=False)
class StoredWeights:
    """Weights, of which some are integers: tensors by name, scales beside integers, and how each is stored."""

    tensors: Mapping[str, Tensor]
    storages: Mapping[str, Storage] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names without those of scales."""
        scales = {f"{name}{SCALE}" for name in self.storages}
        return tuple(name for name in self.tensors if name not in scales)

    def shape_alone(self, name: str) -> Tensor:
        """Return a tensor of the same shape without memory."""
        import torch

        return torch.empty(self.tensors[name].shape, device="meta")

    def values(self, name: str) -> Tensor:
        """Return a tensor as floats."""
        import torch

        tensor = self.tensors[name]
        if name not in self.storages:
            return tensor
        scales = self.tensors[f"{name}{SCALE}"]
        # NumPy has no floats of eight bits.
        held = tensor.float() if tensor.is_floating_point() else tensor
        return torch.from_numpy(self.storages[name].values(held.numpy(), scales.numpy())).float()

    def blocks(self, name: str) -> tuple[Tensor, Tensor]:
        """Return integers [blocks, 32] and their scales [blocks] of a tensor that is stored in these or longer."""
        integers, scales = self.tensors[name], self.tensors[f"{name}{SCALE}"]
        count = integers.shape[-1] // BLOCK // scales.shape[-1]
        return integers.reshape(-1, BLOCK), scales.repeat_interleave(count, -1).reshape(-1)


@record(eq=False)
class IntegerBlocks:
    """What is written as blocks: those by their names, the names of ours, and whose scales float16 does not hold."""

    blocks: Mapping[str, Blocks] = field(default_factory=dict)
    ours: frozenset[str] = frozenset()
    rounded: tuple[str, ...] = ()

    def notes(self, storages: Mapping[str, Storage]) -> list[str]:
        """What is not written as it is stored."""
        left = [name for name in storages if name not in self.ours]
        notes = [f"{_listed(self.rounded)}: scales rounded to float16"] if self.rounded else []
        return [*notes, f"{_listed(left)} as floats: blocks of other than 32 integers"] if left else notes


def integer_blocks(parameters: Mapping[str, Shape], layout: Layout, weights: StoredWeights) -> IntegerBlocks:
    """Return the blocks of all tensors of a file that can be the integers of ours.

    They are in `Q8_0` and `Q4_0`. Raises SpecError E527 for scales that float16 cannot hold.
    """
    found, made, ours = Collector(), dict[str, Blocks](), set[str]()
    fitting = [name for name, storage in weights.storages.items() if _bits(storage, parameters[name]) is not None]
    rounded = {name for name in fitting if _is_rounded(f"{name}{SCALE}", weights, found)}
    found.raise_if_errors()
    for binding in bind(layout, parameters, found):
        blocks = _blocks(binding, parameters, layout, weights)
        if blocks:
            made |= blocks
            ours |= {*binding.ours}
    found.raise_if_errors()
    told = tuple(name for name in fitting if name in rounded & ours)
    return IntegerBlocks(blocks=made, ours=frozenset(ours), rounded=told)


def _blocks(
    binding: Binding, parameters: Mapping[str, Shape], layout: Layout, weights: StoredWeights
) -> dict[str, Blocks]:
    """The tensors that a line of the layout writes; nothing if they cannot be blocks of integers."""
    import torch

    shapes = [parameters[name] for name in binding.ours]
    bits = {_bits(weights.storages.get(name), shape) for name, shape in zip(binding.ours, shapes, strict=True)}
    if None in bits:
        return {}
    names, theirs = list[str](), list[Shape]()

    def move(numbers: list[Tensor]) -> Sequence[Tensor]:
        pairs = list(export_binding(binding, numbers, checkpoint_of((), layout, Collector()), None))
        names.extend(name for name, _ in pairs)
        theirs.extend(tuple(tensor.shape) for _, tensor in pairs)
        return [tensor for _, tensor in pairs]

    places = places_of_blocks(binding.line.operations, shapes, BLOCK, move)
    if places is None:
        return {}
    read = [weights.blocks(name) for name in binding.ours]
    integers, scales = (torch.cat(parts) for parts in zip(*read, strict=True))
    format = "Q8_0" if 8 in bits else "Q4_0"
    made = {}
    for name, place, shape in zip(names, places, theirs, strict=True):
        chosen = place.reshape(-1)
        packed = pack(format, integers[chosen].numpy(), scales[chosen].numpy())
        rows = prod(shape[:-1])
        made[name] = Blocks(format=format, packed=packed.reshape(*shape[:-1], packed.size // rows))
    return made


def _bits(storage: Storage | None, shape: Shape) -> int | None:
    """The bits of a tensor with one scale for each 32 neighbours or for more; None for any other."""
    if storage is None or storage.floating or shape[-1] % BLOCK or storage.channels != len(shape) - 1:
        return None
    return storage.bits if storage.block is None or storage.block % BLOCK == 0 else None


def _is_rounded(name: str, weights: StoredWeights, found: Collector) -> bool:
    """Whether float16 holds some scale otherwise; E527 is added to `found` for one that would be infinite."""
    import torch

    scales = weights.tensors[name]
    check_range(name, scales, torch.empty(0, dtype=torch.float16), found)
    return not torch.equal(scales, scales.half().to(scales.dtype))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
