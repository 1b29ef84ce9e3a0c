"""The registry of functions that compute layers, by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from archspec.engines.network.plan import Attributes

Result = Tensor | tuple[Tensor, ...]
Function = Callable[..., Result]
"""A function of a layer's attributes and of its inputs in order: floats are float32 or float64, or of any dtype for
`MOVERS`.
"""

FUNCTIONS: dict[str, Function] = {}
MOVERS: set[str] = set()
"""Kinds of layers that only move values, so that half precision need not be converted for them."""

F = TypeVar("F", bound=Function)


def computes(kind: str, *, moves: bool = False) -> Callable[[F], F]:
    """Register the function that computes a kind of layer.

    `moves` says that it only moves numbers, so that half precision need not be widened for it.
    """

    def register(function: F) -> F:
        FUNCTIONS[kind] = function
        if moves:
            MOVERS.add(kind)
        return function

    return register


class UnsupportedError(Exception):
    """A layer of a known kind has settings that are not supported; the text says which."""


def bits(mask: int) -> list[int]:
    """Return the axes that are set in a bit mask."""
    return [axis for axis in range(mask.bit_length()) if mask >> axis & 1]


def given(name: str, choices: dict[str, F], attributes: Attributes) -> F:
    """Return the choice that an attribute names. Raises UnsupportedError for an unknown one."""
    word = attributes[name]
    if word not in choices:
        raise UnsupportedError(f"its {name} `{word}` is not supported")
    return choices[word]


def integers(tensor: Tensor) -> list[int]:
    """Return the values of a tensor of sizes or positions."""
    return [int(value) for value in tensor.reshape(-1).tolist()]
