"""Calibration: the scales of rounded values, measured while a module runs on inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_args

from archspec.diagnostics import fail
from archspec.ops.elementwise.rounded import LARGEST, LAYER, Grid

if TYPE_CHECKING:
    from torch import Tensor, nn

_AT_MOST = 1 << 18
"""How many values of one place are kept, over all rows; the largest is always among them."""
_SHARES = tuple(1.0 - 0.02 * step for step in range(40))
"""The shares of the largest value that are tried as the end of the grid."""


def rounding_layers(module: nn.Module) -> dict[str, tuple[nn.Module, Grid]]:
    """The layers of an emitted module that round, by name, each with its grid."""
    grids: dict[str, Grid] = {LAYER.format(grid.title()): grid for grid in get_args(Grid)}
    found = ((name, layer, grids.get(type(layer).__name__)) for name, layer in module.named_modules())
    return {name: (layer, grid) for name, layer, grid in found if grid is not None}


@contextmanager
def rounding_alone(module: nn.Module, names: Iterable[str] = ()) -> Iterator[None]:
    """Let only some layers round while the context lasts; the others give what they are given."""
    chosen = {*names}
    layers = rounding_layers(module).items()
    handles = [layer.register_forward_hook(_given) for name, (layer, _) in layers if name not in chosen]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _given(layer: nn.Module, arguments: tuple[Tensor, ...], result: Tensor) -> Tensor:
    return arguments[0]


class Calibration:
    """Collects what the layers that round are given, while `watched` lasts, and chooses their scales."""

    def __init__(self, module: nn.Module, rows: int) -> None:
        self._module = module
        self._layers = rounding_layers(module)
        self._kept: dict[str, list[Tensor]] = {name: [] for name in self._layers}
        self._each = max(1, _AT_MOST // max(1, rows))
        self._largest: dict[str, Tensor] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Collect values of every run of the module; nothing is rounded."""
        handles = [layer.register_forward_hook(self._keeps(name)) for name, (layer, _) in self._layers.items()]
        try:
            with rounding_alone(self._module):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _keeps(self, name: str) -> Any:
        def keep(layer: nn.Module, arguments: tuple[Tensor, ...], result: Tensor) -> None:
            scale = layer.get_buffer("scale")
            if scale.ndim:
                found = _largest(arguments[0], scale.shape)
                self._largest[name] = found.maximum(self._largest.get(name, found))
            else:
                self._kept[name].append(_some(arguments[0], self._each))

        return keep

    def scales(self) -> dict[str, Tensor]:
        """The scale of every layer by its name, float32: the one of all values with the least error, or of the shape
        of the layer's own, for the largest value of each entry.

        Raises SpecError E633 for a layer that no run reached, or that was given zeros alone, or values that are not
        finite.
        """
        import torch

        found = {}
        for name, (_, grid) in self._layers.items():
            values = torch.cat(self._kept[name]) if self._kept[name] else self._largest.get(name, torch.zeros(0))
            if not values.numel():
                fail("E633", f"no inputs to calibrate on reach `{name}`", None)
            if not bool(values.isfinite().all()):
                notes = ["a scale cannot be measured on values that are not finite"]
                fail("E633", f"inputs to calibrate on give `{name}` values that are not finite", None, notes=notes)
            if not bool(values.any()):
                help = "calibrate on inputs that the model is for, or keep what is read there as floats"
                fail("E633", f"inputs to calibrate on give `{name}` nothing but zeros", None, help=help)
            found[name] = _full(values, grid) if name in self._largest else least_squares(values, grid)
        return found


def _some(x: Tensor, count: int) -> Tensor:
    """The absolute largest value, and others at even distances; NaN where there is one."""
    import torch

    flat = x.detach().float().reshape(-1)
    if not flat.numel():
        return flat
    largest = flat[flat.abs().argmax()].reshape(1)
    return torch.cat([largest, flat[:: max(1, -(-flat.numel() // count))]])


def _largest(x: Tensor, scales: Sequence[int]) -> Tensor:
    """The largest absolute value for each entry of scales; NaN where there is one."""
    own = (*(1 for _ in range(x.ndim - len(scales))), *scales)
    shared = [axis for axis, size in enumerate(own) if size == 1]
    found: Tensor = x.detach().float().abs().amax(shared, keepdim=True).reshape(tuple(scales))
    return found


def _full(largest: Tensor, grid: Grid) -> Tensor:
    """The scales at which a grid reaches the largest values; 1 for zero."""
    import torch

    found: Tensor = torch.where(largest > torch.finfo(torch.float32).tiny * LARGEST[grid], largest / LARGEST[grid], 1.0)
    return found


def least_squares(values: Tensor, grid: Grid) -> Tensor:
    """The scale with the least sum of squared errors among some; of zeros alone, it is 1."""
    import torch

    largest = values.abs().max()
    if not float(largest) > 0:
        return torch.ones(())
    full = largest / LARGEST[grid]
    tried = [full * share for share in _SHARES]
    errors = [float((values - rounded(values, scale, grid)).double().square().sum()) for scale in tried]
    best: Tensor = tried[errors.index(min(errors))]
    # A value so small that its scale underflows is zero to any grid.
    return best if float(best) > torch.finfo(torch.float32).tiny else torch.ones(())


def rounded(values: Tensor, scale: Tensor, grid: Grid) -> Tensor:
    """The nearest numbers of a grid at a scale."""
    import torch

    quotient = values / scale
    if grid == "int8":
        return quotient.round().clamp(-LARGEST[grid] - 1, LARGEST[grid]) * scale
    return quotient.clamp(-LARGEST[grid], LARGEST[grid]).to(torch.float8_e4m3fn).to(values.dtype) * scale


def scale_names(scales: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Scales by the names of their buffers."""
    return {f"{name}.scale": scale for name, scale in scales.items()}
