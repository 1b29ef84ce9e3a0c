"""Values that are rounded, in ONNX: pairs of `QuantizeLinear` and `DequantizeLinear`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from archspec.ops.elementwise.rounded import FUNCTION, Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

VERSION = 21


def name_rounding(module: nn.Module) -> bool:
    """Let rounding be exported as pairs of operators; returns whether the module rounds anything."""
    functions = type(module).forward.__globals__
    found = [grid for grid in get_args(Grid) if FUNCTION.format(grid) in functions]
    for grid in found:
        functions[FUNCTION.format(grid)] = _pair(grid, functions[FUNCTION.format(grid)])
    return bool(found)


def _pair(grid: Grid, plain: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Stand in for the function of an emitted file, which stays where scales are of several axes."""
    import onnx
    import torch
    from torch.onnx.ops import symbolic

    held = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}[grid]
    # ONNX Runtime takes a zero point of float8 for one of bytes, and drops a ReLU before it; products of integers are
    # joined where they have one.
    attributes = {"output_dtype": onnx.TensorProto.FLOAT8E4M3FN} if grid == "fp8" else {}
    zeros = () if grid == "fp8" else (torch.zeros((), dtype=held),)

    def pair(x: Tensor, scale: Tensor) -> Tensor:
        if scale.ndim:
            return plain(x, scale)
        options: dict[str, Any] = {"shape": x.shape, "version": VERSION}
        given = symbolic("QuantizeLinear", (x, scale, *zeros), attrs=attributes, dtype=held, **options)
        found: Tensor = symbolic("DequantizeLinear", (given, scale, *zeros), dtype=x.dtype, **options)
        return found

    return pair
