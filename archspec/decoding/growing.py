"""Inputs that grow with the generated sequence, and the values that each of them is given."""

from __future__ import annotations

from archspec.algebra.dim import Symbol
from archspec.analyses.size_use import sizes_in
from archspec.diagnostics import Collector
from archspec.ir.graph import Graph, Node
from archspec.ir.types import DType
from archspec.ops.linear.embedding import Embedding
from archspec.ops.position.rotary_table import RotaryTable
from archspec.record import record
from archspec.spec import InputSpec, Spec
from archspec.spec.spec import Decode


@record
class Growing:
    """Growing inputs by the values they are given.

    `valid` is true at filled positions and false at padding, `positions` are given position numbers, and `constant`
    inputs have their default everywhere.
    """

    valid: str | None = None
    positions: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Names of all growing inputs."""
        return frozenset({*self.positions, *self.constant, *([self.valid] if self.valid else [])})


def growing(spec: Spec, decode: Decode, size: Symbol | None) -> Growing:
    """Determine the values of the inputs that grow with the fed-back one.

    Args:
        spec: the spec.
        decode: its `decode` section.
        size: the dim of the fed-back positions; None if their number is fixed, so that nothing grows.

    Raises:
        SpecError: E745, for each growing input that is neither a validity mask nor position numbers and has no default.
    """
    fed = spec.inputs[decode.input]
    others = [one for one in spec.inputs.values() if one is not fed and size is not None and _grows(one, size)]
    same = [one for one in others if one.type.shape == fed.type.shape]
    bools = [one.name for one in same if one.type.dtype is DType.BOOL and one.default in (None, True)]
    # With several candidates it is unknown which of them marks filled positions.
    valid = bools[0] if len(bools) == 1 else None
    positions = [one.name for one in same if one.type.dtype.is_integer and _numbers_positions(spec.graph, one.name)]
    found = Collector()
    for one in others:
        if one.name != valid and one.name not in positions and one.default is None:
            message = f"`{one.name}` grows with `{fed.name}`, but there is no value for new positions"
            found.error("E745", message, one.span, help="give it a `default`")
    found.raise_if_errors()
    rest = [one.name for one in others if one.name != valid and one.name not in positions]
    return Growing(valid=valid, positions=tuple(positions), constant=tuple(rest))


def _grows(one: InputSpec, size: Symbol) -> bool:
    return size in sizes_in(one.type.shape)


def _numbers_positions(graph: Graph, name: str) -> bool:
    """Whether an input is read, and all its readers take it as position numbers."""
    value = next(value for value in graph.inputs if value.name == name)
    readers = [use.node for use in graph.uses_inside(value) if use.node is not None]
    return bool(readers) and all(map(_takes_positions, readers))


def _takes_positions(node: Node) -> bool:
    if isinstance(node.op, Embedding):
        return all(parameter.path.endswith(".positions") for parameter in node.parameters.values())
    return isinstance(node.op, RotaryTable)
