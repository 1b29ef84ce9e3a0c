"""A body of the step under construction."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.algebra.dim import Dim
from archspec.analyses.cache import Kept
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Op
from archspec.ir.types import DType, TensorType
from archspec.ops.state.axis_positions import AxisPositions
from archspec.ops.state.masked_positions import MaskedPositions
from archspec.ops.state.row_positions import RowPositions
from archspec.passes.incremental.forms import NEW, WHOLE, Fed, Form, Mode
from archspec.passes.incremental.plan import BodyPlan, Planner
from archspec.record import record

MASK = "attention_mask"


@record
class Operand:
    """An input for operand `number` of the node around the body, in a form; for the outermost body an input of it."""

    number: int
    form: Form


@record
class PlacesOf:
    """An input for the positions of the entries of axes in a mode; `apart` as in `Body.positions`."""

    mode: Mode
    apart: bool


@record
class CountOf:
    """An input for counts, one a row: `past`, or `count`."""

    name: str


@record
class MaskOf:
    """An input that says which entries, past and new, are positions of their row."""


@record
class StateOf:
    """An input for a part of the state: `value` of the full graph, kept in a way; `path` says where it is computed."""

    value: Value
    kind: Kept
    mode: Mode
    path: str


Key = Operand | PlacesOf | CountOf | MaskOf | StateOf


class Body:
    """Inputs, nodes and values of a body; `around` is the body that contains it, in which `node` of the full graph is.

    `made` are the values so far, by value and form; `updates` what replaces parts of the state, which the body returns.
    """

    def __init__(self, planner: Planner, plan: BodyPlan, around: Body | None = None, node: Node | None = None) -> None:
        self.planner, self.plan, self.around, self.node = planner, plan, around, node
        self.fed: Fed = planner.fed
        self.inputs: dict[Key, Value] = {}
        self.nodes: list[Node] = []
        self.made: dict[tuple[Value, Form], Value] = {}
        self.updates: dict[StateOf, Value] = {}
        self._positions: dict[PlacesOf, Value] = {}

    def take(self, key: Key, name: str, type_: TensorType) -> Value:
        """The input of this body for something of the bodies around it."""
        if key not in self.inputs:
            self.inputs[key] = Value(name, type_)
        return self.inputs[key]

    def take_operand(self, number: int, form: Form) -> None:
        """Add the input for an operand of the node around the body."""
        value = self.plan.graph.inputs[number]
        type_ = self.fed.sized(value.type, form)
        if self.around is not None and self.node is not None:
            # The operand may have rows that the full graph's value does not have.
            type_ = self.around.get(self.node.inputs[number], form).type
        self.made[value, form] = self.take(Operand(number=number, form=form), value.name, type_)

    def get(self, value: Value, form: Form) -> Value:
        """A value of the full graph in a form."""
        if value in self.plan.once:
            return self.ask(StateOf(value=value, kind="once", mode=None, path=path_of(value)), value.type)
        return self.made[value, form]

    def ask(self, asked: StateOf, type_: TensorType) -> Value:
        """The input of this body that holds a part of the state."""
        return self.take(asked, asked.value.name or "kept", type_)

    def counts(self, name: str) -> Value:
        """Each row's count of past positions, or of those of its new entries that are positions of its own."""
        return self.take(CountOf(name=name), name, TensorType.of(DType.INT64, self.fed.rows))

    def mask(self) -> Value:
        """Which entries, past and new, are positions of their row: 1, others 0."""
        type_ = TensorType.of(DType.INT64, self.fed.rows, self.fed.entries(WHOLE), bound=Dim.of(2))
        return self.take(MaskOf(), MASK, type_)

    def counted(self) -> Value:
        """What positions are computed from."""
        return self.counts("past") if self.fed.past is None else self.mask()

    def positions(self, mode: Mode, *, apart: bool = False) -> Value:
        """The positions of the entries of an axis in a mode; they are made once, in the outermost body.

        `apart` are new entries, of which those that fill up a row may lie beyond the limit, so that no two are at one
        position; others are counted as the last position there is.
        """
        key = PlacesOf(mode=mode, apart=apart)
        if self.around is not None:
            found = self.root().positions(mode, apart=apart)
            return self.take(key, found.name, found.type)
        if key not in self._positions:
            self._positions[key] = self._make_positions(mode, None if apart else Dim.of(self.fed.length))
        return self._positions[key]

    def root(self) -> Body:
        """The outermost body."""
        return self if self.around is None else self.around.root()

    def _make_positions(self, mode: Mode, limit: Dim | None) -> Value:
        length = Dim.of(self.fed.length)
        if self.fed.past is not None:
            new = Dim.of(self.fed.new) if mode == NEW else None
            name = "positions" if mode == NEW else "key_positions"
            # The step has no axis of this size: the most that it may be bounds the positions.
            return self.add(MaskedPositions(limit=Dim.of(self.fed.length.max), new=new), [self.mask()], name)
        past = self.counts("past")
        if mode is not None:
            name = "positions" if mode == NEW else f"last_{mode}_positions"
            return self.add(RowPositions(new=Dim.of(self.fed.new), limit=limit, kept=mode), [past], name)
        if not self.planner.needs.has_prefix:
            return self.add(AxisPositions(size=length), [past], "key_positions")
        # Entries behind a row's end may lie in the prefix, and do not exist yet.
        return self.add(AxisPositions(size=length, filled=True), [past, self.counts("count")], "key_positions")

    def add(self, op: Op, inputs: Sequence[Value], name: str) -> Value:
        """Append a node of one output, and give its output."""
        (type_,) = op.infer(*(x.type for x in inputs))
        made = Value(name, type_)
        self.nodes.append(Node(op=op, inputs=tuple(inputs), outputs=(made,)))
        return made

    def add_like(
        self,
        node: Node,
        op: Op,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        regions: Sequence[Graph] = (),
        owned: frozenset[str] | None = None,
    ) -> None:
        """Append a node in place of one of the full graph, with its parameters, name, scope and span.

        It owns those of the other one, or `owned`.
        """
        self.nodes.append(
            Node(
                op=op,
                inputs=tuple(inputs),
                outputs=tuple(outputs),
                parameters=node.parameters,
                owned=node.owned if owned is None else owned,
                regions=tuple(regions),
                name=node.name,
                scope=node.scope,
                span=node.span,
            )
        )


def path_of(value: Value) -> str:
    """Where the full graph computes a value: the path of its module and its own name."""
    node = value.producer
    if node is None:
        return value.name
    return ".".join(part for part in (node.scope, value.name or node.name or node.op.name) if part)
