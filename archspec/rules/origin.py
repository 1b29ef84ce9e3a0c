"""Where a value is computed: through the outputs of modules and repeated layers, down to the node that makes it."""

from __future__ import annotations

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.record import record


@record(kw_only=False)
class Run:
    """One execution of a region: the body of a module, or that of one layer of a repeat."""

    node: Node
    layer: int | None = None

    @property
    def region(self) -> Graph:
        """The region that is executed."""
        op = self.node.op
        return self.node.regions[op.schedule[self.layer] if isinstance(op, Repeat) and self.layer is not None else 0]


@record(kw_only=False)
class Origin:
    """A value, and the runs that contain it, outermost first."""

    value: Value
    runs: tuple[Run, ...] = ()

    def inside_of(self, run: Run) -> Origin:
        """The same value as seen from inside one of the runs."""
        return Origin(self.value, self.runs[self.runs.index(run) + 1 :])


def origin(value: Value) -> Origin:
    """The origin of a value at the top level or in a region.

    Inputs of a region are not followed outwards: a value that was passed in is its own origin.
    """
    runs: list[Run] = []
    while (run := _made_in(value)) is not None:
        runs.append(run)
        value = run.region.outputs[output_of(value)]
    return Origin(value, tuple(runs))


def _made_in(value: Value) -> Run | None:
    """The run that makes a value, where that is the output of a node with regions."""
    node = value.producer
    if node is None:
        return None
    if isinstance(node.op, Call):
        return Run(node)
    # A repeat of no layers returns its operand: no run makes the value.
    if not isinstance(node.op, Repeat) or not len(node.op.schedule):
        return None
    # Output 0 is the carried value, which the last layer makes.
    return Run(node, node.op.taps[value.index - 1].layer if value.index else len(node.op.schedule) - 1)


def output_of(value: Value) -> int:
    """The number of the region output that an output of a module or of repeated layers comes from."""
    node = value.producer
    if node is not None and isinstance(node.op, Repeat):
        return node.op.taps[value.index - 1].output if value.index else 0
    return value.index
