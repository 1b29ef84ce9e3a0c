"""Which sizes the emitted code of an op reads off some tensor of the method that holds it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.ir.graph import Node
from archspec.ir.op import Primitive
from archspec.ir.types import TensorType


def symbols_read(node: Node) -> frozenset[Symbol]:
    """The dims of the sizes that the emitted code of a primitive asks for, besides those of its own operands."""
    assert isinstance(node.op, Primitive)
    asked = _Asked([value.type for value in node.inputs])
    operands = [f"x{number}" for number in range(len(node.inputs))]
    node.op.emit(asked, operands, {name: f"p_{name}" for name in node.parameters})
    return frozenset(symbol for dim in asked.dims for symbol in dim.symbols())


class _Asked:
    """An emitter that writes nothing and remembers sizes."""

    training = "self.training"

    def __init__(self, types: Sequence[TensorType]) -> None:
        self.types = types
        self.dims: list[Dim] = []
        self.names = 0

    def size(self, dim: Dim) -> str:
        """Remember a size."""
        self.dims.append(dim)
        return "1"

    def shared_size(self, dim: Dim, axis: int) -> str:
        """Remember a size."""
        return self.size(dim)

    def number(self, value: Scalar) -> str:
        """Remember the sizes of a number."""
        return value.python(self.size)

    def assign(self, hint: str, source: str) -> str:
        """A new name."""
        self.names += 1
        return f"{hint}{self.names}"

    def helper(self, source: str) -> str:
        """The name of a helper."""
        found = re.search(r"^(?:def|class) (\w+)", source, re.MULTILINE)
        return found[1] if found else ""
