"""Checkpoints in fp8: multiply each tensor of 8-bit floats by the scales stored next to it.

`NAME_scale_inv` holds a scale for each block of 128 x 128 (DeepSeek-V3, arXiv 2412.19437, section 3.3.2), for a whole
tensor or for each row. `NAME_scale` is read the same way; compressed-tensors writes one for a whole tensor or for each
row. Scales of activations are only needed for arithmetic in fp8 and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from archspec.diagnostics import Collector
from archspec.layouts.deferred import Box
from archspec.layouts.operations import Shape
from archspec.layouts.report import also, and_more
from archspec.weights.files import WeightsFile, part_of

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 128
_SCALES = ("_scale_inv", "_scale")
_ACTIVATIONS = ("input_scale", "activation_scale")
# The same dtypes as safetensors names them and, below, as PyTorch does.
_WORDS = ("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
_DTYPES = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
_HELP = "use weights that are not quantised, or scales for whole tensors, rows, or blocks of 128 x 128"


class Dequantised(Mapping[str, "Tensor"]):
    """A checkpoint with its fp8 tensors as float32, without the scales; other tensors are unchanged.

    `shapes` are those of the visible tensors; `scales` maps the name of each fp8 tensor to that of its scale, None if
    it is missing. A tensor is read and multiplied when it is indexed.
    """

    def __init__(self, tensors: Mapping[str, Tensor], shapes: Mapping[str, Shape], fp8: Iterable[str]) -> None:
        """Wrap `tensors`; `shapes` are the shapes of all of them, `fp8` the names of those in 8-bit floats."""
        self._tensors = tensors
        self._all = shapes
        self.scales: Mapping[str, str | None] = {name: _scale_of(name, shapes) for name in fp8}
        hidden = {scale for scale in self.scales.values() if scale is not None}
        hidden.update(name for base in self.scales for name in _activations(base) if name in shapes)
        self.shapes: Mapping[str, Shape] = {name: shape for name, shape in shapes.items() if name not in hidden}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.scales:
            return self._tensors[name]
        scale = self.scales[name]
        if scale is None or not _fits(self._all[name], self._all[scale]):
            # `check` raises here: it repeats the condition above for this one name.
            self.check([name])
        assert scale is not None
        return _scaled(self._tensors[name], self._tensors[scale])

    def part(self, name: str, box: Box) -> Tensor:
        """Return the entries of a tensor in a box; one in fp8 is read whole, since its scales are of the whole."""
        if name in self.scales:
            return self[name][tuple(slice(start, stop) for start, stop in box)].clone()
        return part_of(self._tensors, name, box)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def check(self, names: Iterable[str]) -> None:
        """Raise SpecError with an E528 for each of these tensors that is in fp8 without a scale that fits."""
        found = Collector()
        wanted = [name for name in names if name in self.scales]
        bare = [name for name in wanted if self.scales[name] is None]
        if bare:
            message = f"`{bare[0]}`{and_more(bare)} in fp8 without `{bare[0]}_scale_inv` or `{bare[0]}_scale`"
            found.error("E528", message, None, notes=also(bare), help=_HELP)
        for name in wanted:
            scale = self.scales[name]
            if scale is not None and not _fits(self._all[name], self._all[scale]):
                shapes = f"`{scale}` {list(self._all[scale])} does not fit `{name}` {list(self._all[name])}"
                found.error("E528", shapes, None, notes=[f"expected {_expected(self._all[name])}"], help=_HELP)
        found.raise_if_errors()


def fp8_names(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors of 8-bit floats; tensors of a WeightsFile are not read for this."""
    if isinstance(tensors, WeightsFile):
        return [name for name, dtype in tensors.dtypes.items() if dtype in _WORDS]
    return [name for name, tensor in tensors.items() if str(tensor.dtype).removeprefix("torch.") in _DTYPES]


def _scale_of(name: str, shapes: Mapping[str, Shape]) -> str | None:
    """Return the name of the scale next to a tensor, None if there is none; `_scale_inv` is preferred."""
    return next((name + end for end in _SCALES if name + end in shapes), None)


def _activations(name: str) -> tuple[str, ...]:
    """Return the names under which the activation scales of a weight are stored."""
    module = name.removesuffix("weight") if name.endswith("weight") else f"{name}_"
    return tuple(module + word for word in _ACTIVATIONS)


def _blocks(shape: Shape) -> Shape:
    """Return the shape of the scales for blocks of 128 x 128 over the last two axes; the last block may be partial."""
    return (*shape[:-2], *(-(-size // BLOCK) for size in shape[-2:]))


def _fits(shape: Shape, scale: Shape) -> bool:
    """Whether a scale of shape `scale` fits a tensor of shape `shape`.

    It may be one for all; over the last two axes, also one per matrix, per row or per block.
    """
    rows = (*shape[:-1], 1)
    known = [(), (1,)]
    return scale in [*known, rows, _blocks(shape), (*shape[:-2], 1, 1)] if len(shape) > 1 else scale in known


def _expected(shape: Shape) -> str:
    """Describe the scale shapes that fit a tensor."""
    if len(shape) < 2:
        return "one scale"
    return f"one scale, a scale per row {[*shape[:-1], 1]}, or a scale per block {list(_blocks(shape))}"


def _scaled(tensor: Tensor, scale: Tensor) -> Tensor:
    """Return the tensor as float32, multiplied by its scales.

    Scales of whole tensors, matrices and rows are broadcast; those of blocks are repeated, and cut at a partial block.
    """
    import torch

    values, scales = tensor.to(torch.float32), scale.to(torch.float32)
    # A single scale may be stored with any number of axes.
    if scales.numel() == 1:
        return values * scales.reshape(())
    if scales.shape in ((*values.shape[:-1], 1), (*values.shape[:-2], 1, 1)):
        return values * scales
    rows, columns = values.shape[-2:]
    wide = scales.repeat_interleave(BLOCK, -2).repeat_interleave(BLOCK, -1)
    # The last block of an axis may be partial.
    return values * wide[..., :rows, :columns]
