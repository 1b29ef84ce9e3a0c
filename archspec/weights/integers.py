"""The integers of a checkpoint as ours: moved as its layout moves values, and never rounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.ir.storage import Bits
from archspec.layouts.operations import Shape
from archspec.record import record
from archspec.weights.files import WeightsFile
from archspec.weights.gguf.blocks import PACKINGS
from archspec.weights.match import MatchStep
from archspec.weights.places import places_of_blocks
from archspec.weights.transfer import forward

if TYPE_CHECKING:
    from torch import Tensor


@record(eq=False)
class Moved:
    """Tensors of ours that are integers in a file, and would be the same integers as ours.

    Fields:
        step: which tensors of the file become ours.
        shapes: those of ours.
        bits: those that all integers fit in.
        block: how many neighbours on the last axis have the same scale in each of them.
    """

    step: MatchStep
    shapes: tuple[Shape, ...]
    bits: Bits
    block: int

    def read(self, file: WeightsFile, block: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Return by name the integers, int8 in the shape of ours, and the scales, float32 [..., blocks].

        Scales are repeated for smaller blocks than the file has: `block` divides that of each format.
        """
        import torch

        read = [file.integers(name) for name in self.step.names]
        scales = [
            scale.repeat_interleave(PACKINGS[file.dtypes[name]].group // block, -1)
            for name, (_, scale) in zip(self.step.names, read, strict=True)
        ]
        if not self.step.operations:
            return {self.step.ours[0]: (read[0][0], scales[0])}
        integers = torch.cat([one.reshape(-1, block) for one, _ in read])
        whole = torch.cat([one.reshape(-1) for one in scales])
        places = _places(self.step, self.shapes, block, file) or []
        moved = [
            (integers[place].reshape(shape), whole[place]) for place, shape in zip(places, self.shapes, strict=True)
        ]
        return dict(zip(self.step.ours, moved, strict=True))


def moved(step: MatchStep, shapes: Sequence[Shape], file: WeightsFile) -> Moved | None:
    """What of a step are integers in the file and ours alike; None where blocks are cut or values are computed.

    `shapes` are those of ours. No tensor is read.
    """
    packings = [PACKINGS.get(file.dtypes[name]) for name in step.names]
    known = [one for one in packings if one is not None]
    if len(known) < len(packings):
        return None
    block = min(one.group for one in known)
    if step.operations and _places(step, shapes, block, file) is None:
        return None
    return Moved(step=step, shapes=tuple(shapes), bits=max(one.bits for one in known), block=block)


def _places(step: MatchStep, shapes: Sequence[Shape], block: int, file: WeightsFile) -> list[Tensor] | None:
    """Where the blocks of each of ours are in the file, counted through the tensors of a step."""

    def move(numbers: list[Tensor]) -> list[Tensor]:
        rest = iter(numbers)
        return forward(step.operations, [[next(rest) for _ in row] for row in step.theirs], shapes)

    return places_of_blocks(step.operations, [file.shapes[name] for name in step.names], block, move)
