"""A module: a named scope of the architecture, with a body of its own."""

from __future__ import annotations

from archspec.ir.op import Op
from archspec.ir.types import TensorType
from archspec.record import record


@record
class Call(Op):
    """Run the body of a module on the operands; the node's one region is the body.

    `kind` names the class in the emitted file (`Attention`), `module` the path of the module whose parameters are
    used: a second call of one module (`reuse`) has the path of the first.
    """

    name = "call"
    signature = "... -> ..."
    sized = frozenset({"results"})

    kind: str
    module: str
    # The types of the body's outputs, stored because `infer` sees the operands alone.
    results: tuple[TensorType, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The types of the body's outputs."""
        return self.results
