"""What the layers of one stack share: made at the top of its module, each once."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op


class Top:
    """The scope around repeated layers; `x` is what the first of them takes."""

    def __init__(self, b: Builder, x: Value) -> None:
        self.x = x
        self._builder = b
        self._made: dict[tuple[Op, tuple[Value, ...]], Value] = {}

    def add(
        self, op: Op, *inputs: Value, name: str = "", result: str = "", rename: Mapping[str, str] | None = None
    ) -> Value:
        """The value of an op, which is added where it is first asked for."""
        key = (op, inputs)
        if key not in self._made:
            self._made[key] = self._builder.add(op, *inputs, name=name, result=result, rename=rename)
        return self._made[key]
