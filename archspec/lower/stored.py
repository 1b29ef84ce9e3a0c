"""Source for parameters that are stored as integers: the class that holds them, and how their values are computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archspec.ir.graph import Node, Parameter
from archspec.ir.storage import SCALE, Storage

Helper = Callable[[str], str]
"""Adds a function or a class to the top of the file, once; returns its name."""

DEQUANTISE = "dequantise"
"""The name of the function in an emitted file that computes values; exporters write an operator in its place."""


def is_stored(node: Node) -> bool:
    """Whether a node has a parameter that is stored as integers."""
    return any(parameter.stored is not None for parameter in node.parameters.values())


def values_of(parameter: Parameter, source: str, helper: Helper) -> str:
    """Source of the values of a parameter, given that of its tensor."""
    return source if parameter.stored is None else f"{helper(_DEQUANTISE)}({source}, {source}{SCALE})"


def rows_of(parameter: Parameter, rows: str, scales: str) -> str:
    """Source of the values of rows of a parameter, given that of the rows of its integers and of its scales."""
    block = parameter.stored.block if parameter.stored is not None else None
    return f"{rows} * {scales}" if block is None else f"{rows} * {scales}.repeat_interleave({block}, -1)"


def held(parameters: Mapping[str, Parameter], helper: Helper) -> str:
    """The constructor of what holds all parameters of a module, by their names in it."""
    shapes = [
        f"{local}{end}=({''.join(f'{size}, ' for size in one.type.shape)})"
        for local, parameter in parameters.items()
        for end, one in (("", parameter), (SCALE, parameter.scale))
        if one is not None
    ]
    floating = [local for local, one in parameters.items() if one.stored is not None and one.stored.floating]
    if floating:
        named = f"({''.join(f'{local!r}, ' for local in floating)})"
        return f"{helper(_HELD_FLOATS)}({named}, {', '.join(shapes)})"
    return f"{helper(_HELD)}({', '.join(shapes)})"


def held_dtype(storage: Storage) -> str:
    """The name of torch's dtype of integers, or of floats of eight bits."""
    return "float8_e4m3fn" if storage.floating else "int8"


_HELD = '''
class Stored(nn.Module):
    """The tensors of one layer: each that has scales beside it holds integers."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            dtype = torch.int8 if f"{name}_scale" in shapes else None
            self.register_buffer(name, torch.zeros(shape, dtype=dtype))
'''

_HELD_FLOATS = '''
class StoredFloats(nn.Module):
    """The tensors of one layer: each that has scales beside it holds integers, or floats of eight bits."""

    def __init__(self, floats: tuple[str, ...], **shapes: tuple[int, ...]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            dtype = torch.int8 if f"{name}_scale" in shapes else None
            dtype = torch.float8_e4m3fn if name in floats else dtype
            self.register_buffer(name, torch.zeros(shape, dtype=dtype))
'''

_DEQUANTISE = '''
def dequantise(integers: Tensor, scale: Tensor) -> Tensor:
    """The numbers that integers stand for, each in its block of the last axis times the scale of the block."""
    blocks = integers.to(scale.dtype).unflatten(-1, (scale.shape[-1], -1))
    return (blocks * scale.unsqueeze(-1)).flatten(-2)
'''
