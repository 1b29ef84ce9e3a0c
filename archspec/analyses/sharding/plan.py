"""A plan: what each rank holds of parameters and values, which way each op runs, and what ranks exchange."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.algebra.dim import Dim
from archspec.analyses.parameters import Group
from archspec.analyses.sharding.boundary import Boundary
from archspec.diagnostics import Span
from archspec.ir.graph import Node, Parameter, Value
from archspec.ir.op import Primitive
from archspec.ir.placement import Copied, Placement, Replicate, Sharding
from archspec.ir.types import TensorType
from archspec.record import record

WHOLE = Sharding(operands=(), results=())
"""The way of an op that runs whole on every rank: all of its operands are `Replicate`, or all are `Copied`."""


@record
class StoredParameter:
    """What a rank holds of the parameters of one pattern.

    `placement` is the placement at every use: `Shard` parts are stored as parts; of the others every rank stores all,
    where the gradient of `Copied` is summed over the ranks after the backward pass, and a `Partial` one is used as it
    is on the first rank and as zeros on the others. `rank_elements` counts what a rank stores of one tensor;
    `has_gradient` is false of what is not trained, and of what no output depends on by way of floats. `reads` counts
    how often a forward pass reads any of these tensors: those of shared layers are read in every layer.
    """

    group: Group
    placement: Placement
    rank_elements: int
    has_gradient: bool
    reads: int

    @property
    def parameter(self) -> Parameter:
        """The parameter, whose path has a `*` for each number of a layer."""
        return self.group.parameter


@record
class ConvertedRun:
    """Values of one type that a hook converts: `times` in a forward pass.

    `again` of these are in a layer and before the last op of it that keeps something for the backward pass: so often
    they are converted once more there, if layers are computed again. `still` of the values depend on nothing trained:
    no gradient comes back to them.
    """

    type: TensorType
    times: int
    again: int = 0
    still: int = 0


@record
class Conversion:
    """A value that is converted on entering or leaving a module.

    Fields:
        at: the module, and which argument or result.
        source: the placement that the value has.
        target: the placement that it is given.
        runs: the types of the whole value, since a table may be looked up at several lengths.
        has_gradient: whether a gradient flows back through it; integers, bools, what depends on nothing that is
            trained, and what no output depends on by way of floats have none, so that the conversion costs nothing in
            the backward pass.
        span: the line of the spec that the value comes from.
    """

    at: Boundary
    source: Placement
    target: Placement
    runs: tuple[ConvertedRun, ...]
    has_gradient: bool
    span: Span | None = None


@record
class Unsplit:
    """Something that every rank computes or stores whole.

    `flops` are those of all its runs in a forward pass, `elements` those of its weights in all layers; `reason` says
    why it is not split, `cause` marks the op that prevents it, and `help` says what would let it be.
    """

    path: str
    flops: Dim
    elements: int
    reason: str
    span: Span | None = None
    cause: Span | None = None
    help: str | None = None


@record
class LengthStack:
    """Repeated layers, and whether ranks hold parts of a sequence in them where nothing else is split.

    `length` is the size that is cut, which the ranks must divide where it is known at run time only; `reason` says why
    it is not cut, None where it is, and `span` marks what keeps it from that.
    """

    path: str
    length: Dim
    reason: str | None = None
    span: Span | None = None


@record
class ExpertModule:
    """A module of experts, and whether each rank has whole ones.

    `reason` says why experts are split by their hidden features or not at all, None where they are whole on ranks.
    """

    path: str
    count: int
    reason: str | None = None
    span: Span | None = None


@record(eq=False)
class Plan:
    """How a graph runs on `ranks` tensor ranks.

    Fields:
        ranks: the number of ranks over which tensors are split.
        parameters: every stored parameter and buffer, in the order of the nodes.
        values: the placement of every value where it is made, in its own body.
        nodes: how every primitive runs; `WHOLE` where it is not split.
        conversions: every hook, in the order of the nodes.
        unsplit: ops with FLOPs, and tables, that are not split.
        stacks: the repeated layers where parts of the length were asked for.
        experts: the modules of experts where whole experts on ranks were asked for.
    """

    ranks: int
    parameters: tuple[StoredParameter, ...]
    values: Mapping[Value, Placement]
    nodes: Mapping[Node, Sharding]
    conversions: tuple[Conversion, ...]
    unsplit: tuple[Unsplit, ...]
    stacks: tuple[LengthStack, ...] = ()
    experts: tuple[ExpertModule, ...] = ()

    @property
    def lengths(self) -> frozenset[Dim]:
        """The lengths that are cut, which the ranks must divide."""
        return frozenset(stack.length for stack in self.stacks if stack.reason is None)

    def is_split(self, node: Node) -> bool:
        """Whether the ranks run a primitive on parts."""
        return isinstance(node.op, Primitive) and self.nodes[node] is not WHOLE


def is_whole(placement: Placement) -> bool:
    """Whether every rank holds all of a value."""
    return isinstance(placement, Replicate | Copied)
