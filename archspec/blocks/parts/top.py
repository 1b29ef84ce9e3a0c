"""Values that the layers of a stack share, built once at the top of its module."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op


class Top:
    """The scope around repeated layers; `x` is the input of the first layer."""

    def __init__(self, b: Builder, x: Value) -> None:
        self.x = x
        self._builder = b
        # Kinds of layers are prepared one after the other; equal requests of theirs get one value.
        self._made: dict[tuple[Op, tuple[Value, ...]], Value] = {}

    def add(
        self, op: Op, *inputs: Value, name: str = "", result: str = "", rename: Mapping[str, str] | None = None
    ) -> Value:
        """The value of an op on `inputs`, which is added at the first request; equal requests return the same value."""
        key = (op, inputs)
        if key not in self._made:
            self._made[key] = self._builder.add(op, *inputs, name=name, result=result, rename=rename)
        return self._made[key]
