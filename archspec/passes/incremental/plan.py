"""What a step computes: which values in which forms, and what it keeps; planned from the outputs backwards."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import NoReturn

from archspec.analyses.cost import BYTES
from archspec.diagnostics import fail
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import OwnEntries, Positions, Primitive
from archspec.ir.repeat import Repeat
from archspec.passes.incremental.forms import NEW, Fed, Form, Mode, UnplacedAxis, widest
from archspec.passes.incremental.influence import Influences
from archspec.passes.incremental.reach import reach, same


@dataclass(eq=False)
class Run:
    """A primitive as the step runs it: the forms of its operands, and of the output that it is run for.

    `placed` says that it takes positions.
    """

    node: Node
    output: int
    form: Form
    operands: tuple[Form, ...]
    placed: bool


@dataclass(eq=False)
class BodyPlan:
    """The plan of one body.

    `wanted` are the forms of values that something reads; `kept` those of them that the state holds; `runs` the
    executions of primitives, `inner` the plans of regions, `once` the values that are made before the first step.
    `carried` is the input that a repeated body carries.
    """

    graph: Graph
    is_root: bool = False
    carried: Value | None = None
    wanted: dict[Value, dict[Form, None]] = field(default_factory=dict)
    kept: dict[tuple[Value, Form], None] = field(default_factory=dict)
    runs: dict[tuple[Value, Form], Run] = field(default_factory=dict)
    inner: dict[Node, list[BodyPlan]] = field(default_factory=dict)
    once: dict[Value, None] = field(default_factory=dict)


class Planner:
    """Plans the step of a graph."""

    def __init__(self, graph: Graph, fed: Fed, outputs: list[Value]) -> None:
        self.fed = fed
        self.influences = Influences(graph, fed)
        self.root = BodyPlan(graph, is_root=True)
        for value in outputs:
            self.want(self.root, value, self.new(value))
        self._sweep(self.root)

    def new(self, value: Value) -> Form:
        """The form of a value at the new positions alone."""
        return (NEW,) * len(self.axes(value))

    def axes(self, value: Value, node: Node | None = None) -> tuple[tuple[int, int], ...]:
        """The fed axes of a value. Refuses an axis of another size that depends on the number of positions."""
        try:
            return self.fed.axes(value.type)
        except UnplacedAxis as error:
            refuse(node or value.producer, str(error))

    # -- demands

    def want(self, plan: BodyPlan, value: Value, form: Form) -> None:
        """Something of a body reads a value in a form."""
        found = self.influences.of(value)
        if not found.is_late:
            if found.given and value.producer is not None and not self._is_mixed(value.producer):
                plan.once[value] = None
            else:
                plan.wanted.setdefault(value, {})[()] = None
        elif found.fed and form and NEW not in form and self._is_kept(plan, value, form):
            self._keep(plan, value, form)
        else:
            plan.wanted.setdefault(value, {})[form] = None

    def _is_mixed(self, node: Node) -> bool:
        """Whether a call gives values that change with every step beside others."""
        return isinstance(node.op, Call) and any(self.influences.of(value).is_late for value in node.outputs)

    def _keep(self, plan: BodyPlan, value: Value, form: Form) -> None:
        axes = value.type.axes
        if len(form) != 1 or axes[0].size != self.fed.rows or len(axes[self.axes(value)[0][0]].factors) > 1:
            refuse(value.producer, f"{value.type} would be kept from step to step, and it does not have rows and positions")
        plan.kept[value, form] = None
        # What is kept is written from the new entries.
        plan.wanted.setdefault(value, {})[self.new(value)] = None

    def _is_kept(self, plan: BodyPlan, value: Value, form: Form) -> bool:
        """Whether past entries of a value are kept here; otherwise they are computed again from kept operands."""
        node = value.producer
        if node is None:
            return plan.is_root or plan.carried is value
        if isinstance(node.op, Call):
            return False
        if isinstance(node.op, Repeat):
            return True
        return self._least(value) >= size_of(value)

    def _least(self, value: Value) -> int:
        """The fewest bytes a position that give the past entries of a value, here or before ops that cost nothing."""
        node = value.producer
        if node is None or not isinstance(node.op, Primitive) or not self._is_free(node, value):
            return size_of(value)
        operands = [x for x in node.inputs if self.influences.of(x).fed]
        return min(size_of(value), sum(self._least(x) for x in operands))

    def _is_free(self, node: Node, value: Value) -> bool:
        """Whether past entries may be computed again: without parameters and FLOPs, each from its own position."""
        op = node.op
        assert isinstance(op, Primitive)
        costs = op.flops([x.type for x in node.inputs], [y.type for y in node.outputs])
        if not op.anywhere or node.parameters or costs != 0 or len(self.axes(value)) != 1:
            return False
        (_, out) = self.axes(value)[0]
        row = self.influences.reads(node)[value.index]
        return all(
            same(relation, out, inp)
            for relation, x in zip(row, node.inputs, strict=True)
            if self.influences.of(x).is_late and relation.atoms
            for _, inp in self.axes(x)
        )

    # -- the sweep

    def _sweep(self, plan: BodyPlan) -> None:
        """Plan the nodes of a body whose outputs are wanted, the last first."""
        for node in reversed(plan.graph.nodes):
            forms = [(value, form) for value in node.outputs for form in plan.wanted.get(value, ())]
            if not forms:
                continue
            match node.op:
                case Call():
                    self._call(plan, node)
                case Repeat() as op:
                    self._repeat(plan, node, op)
                case _:
                    for value, form in forms:
                        if (value, form) not in plan.kept:
                            self._primitive(plan, node, value, form)

    def _call(self, plan: BodyPlan, node: Node) -> None:
        inner = BodyPlan(node.regions[0])
        for value, made in zip(node.outputs, node.regions[0].outputs, strict=True):
            for form in plan.wanted.get(value, ()):
                self.want(inner, made, form)
        self._sweep(inner)
        plan.inner[node] = [inner]
        for operand, value in zip(node.inputs, inner.graph.inputs, strict=True):
            for form in inner.wanted.get(value, ()):
                self.want(plan, operand, form)

    def _repeat(self, plan: BodyPlan, node: Node, op: Repeat) -> None:
        plans = [BodyPlan(region, carried=region.inputs[0]) for region in node.regions]
        for value in node.outputs:
            if any(form != self.new(value) for form in plan.wanted.get(value, ()) if (value, form) not in plan.kept):
                refuse(node, f"{value.type} of repeated layers is read at past positions and not kept")
        for inner in plans:
            for value in (inner.graph.inputs[0], inner.graph.outputs[0]):
                self.want(inner, value, self.new(value))
        for tap, value in zip(op.taps, node.outputs[1:], strict=True):
            if value in plan.wanted:
                inner = plans[op.schedule[tap.layer]]
                self.want(inner, inner.graph.outputs[tap.output], self.new(value))
        for inner in plans:
            self._sweep(inner)
        plan.inner[node] = plans
        for number, operand in enumerate(node.inputs):
            for inner in plans:
                for form in inner.wanted.get(inner.graph.inputs[number], ()):
                    if number or (inner.graph.inputs[0], form) not in inner.kept:
                        self.want(plan, operand, form)

    def _primitive(self, plan: BodyPlan, node: Node, value: Value, form: Form) -> None:
        op = node.op
        assert isinstance(op, Primitive)
        operands = [self._operand(node, value, form, number) for number in range(len(node.inputs))]
        if self.influences.of(value).is_late:
            self._check_sizes(node, op)
            run = self._placed(node, value, form, operands)
        else:
            run = Run(node=node, output=value.index, form=form, operands=tuple(operands), placed=False)
        plan.runs[value, form] = run
        for number, (operand, found) in enumerate(zip(node.inputs, run.operands, strict=True)):
            if self.reads_operand(run, number):
                self.want(plan, operand, found)
            if run.placed and OwnEntries(number) in self.taken(run):
                self.want(plan, operand, self.new(operand))

    def reads_operand(self, run: Run, number: int) -> bool:
        """Whether a run takes an operand of the original node."""
        return not run.placed or number in self.taken(run)

    def taken(self, run: Run) -> tuple[int | Positions | OwnEntries, ...]:
        """What the op of a placed run takes."""
        op = run.node.op
        assert isinstance(op, Primitive)
        placement = op.placed(len(run.node.inputs))
        assert placement is not None
        return placement.operands

    def _placed(self, node: Node, value: Value, form: Form, operands: list[Form]) -> Run:
        """The run, with positions where the op takes some. Refuses what cannot stand at other positions."""
        op = node.op
        assert isinstance(op, Primitive)
        placement = op.placed(len(node.inputs))
        if placement is None:
            refuse(node, f"`{op.name}` does not say how its results depend on positions")
        # Operands along one axis of the op have the same entries: those that any of them needs.
        past = widest([mode for one, x in zip(operands, node.inputs, strict=True) for mode in self._older(node, value, form, one, x)])
        if past != NEW:
            operands = [
                tuple(past if mode in self._older(node, value, form, one, x) and mode != NEW else mode for mode in one)
                for one, x in zip(operands, node.inputs, strict=True)
            ]
        run = Run(node=node, output=value.index, form=form, operands=tuple(operands), placed=False)
        asked = [one for one in placement.operands if isinstance(one, Positions)]
        run.placed = any(self.mode(run, one) is not Ellipsis for one in asked)
        if past != NEW and not any(one.operand is not None and self.mode(run, one) == past for one in asked):
            refuse(node, f"`{op.name}` reads past positions of {self._past_operand(node, operands)} without taking their positions")
        return run

    def _past_operand(self, node: Node, operands: list[Form]) -> str:
        found = next(x for x, form in zip(node.inputs, operands, strict=True) if any(mode != NEW for mode in form))
        return str(found.type)

    def _older(self, node: Node, value: Value, form: Form, operand: Form, x: Value) -> list[Mode]:
        """The modes of an operand's axes that reach further back than the result itself."""
        return [mode for mode in operand if mode != NEW and mode not in form]

    def mode(self, run: Run, asked: Positions) -> Mode | type(Ellipsis):  # type: ignore[valid-type]
        """The mode of an axis whose positions an op takes; Ellipsis for an axis that is not fed."""
        if asked.operand is None:
            value, form = run.node.outputs[0], run.form
        else:
            value, form = run.node.inputs[asked.operand], run.operands[asked.operand]
        numbers = [number for number, _ in self.axes(value)]
        return form[numbers.index(asked.axis)] if asked.axis in numbers else ...

    def _operand(self, node: Node, value: Value, form: Form, number: int) -> Form:
        """The form in which a result in a form needs an operand."""
        operand = node.inputs[number]
        relation = self.influences.reads(node)[value.index][number]
        axes = self.axes(operand, node)
        if not self.influences.of(operand).is_late:
            return ()
        if not relation.atoms:
            return (NEW,) * len(axes)
        self._check_rows(node, value, number)
        out = [(coordinate, mode) for (_, coordinate), mode in zip(self.axes(value, node), form, strict=True)]
        return tuple(self._needed(node, out, number, value, inp) for _, inp in axes)

    def _needed(self, node: Node, out: list[tuple[int, Mode]], number: int, value: Value, inp: int) -> Mode:
        relation = self.influences.reads(node)[value.index][number]
        found = [(reach(relation, coordinate, inp), mode) for coordinate, mode in out]
        for back, mode in found:
            if back == NEW:
                return mode
        for back, mode in found:
            if back != "ahead" and mode == NEW:
                return back  # type: ignore[return-value]
        what = f"operand {number} of `{node.op.name}`, {node.inputs[number].type},"
        if not out:
            refuse(node, f"a value over all positions is computed from {what} so it changes with every new one")
        refuse(node, f"{what} may be read at later positions")

    def _check_sizes(self, node: Node, op: Primitive) -> None:
        """Refuse an op that computes with the number of positions."""
        for one in fields(op):  # type: ignore[arg-type]
            if one.name not in op.sized and self.fed.is_in(getattr(op, one.name)):
                refuse(node, f"`{one.name}` of `{op.name}` is computed from `{self.fed.length.name}`, which grows with each step")

    def _check_rows(self, node: Node, value: Value, number: int) -> None:
        """Refuse an op that reads another row of an operand."""
        operand = node.inputs[number]
        relation = self.influences.reads(node)[value.index][number]
        rows = self.fed.row(operand.type)
        if not all(any(same(relation, out, inp) for out in self.fed.row(value.type)) for inp in rows):
            refuse(node, f"operand {number} of `{node.op.name}`, {operand.type}, may be read in other rows")


def size_of(value: Value) -> int:
    """Bytes of a position of a value, at the typical sizes."""
    return BYTES[value.type.dtype] * value.type.elements().typical()


def refuse(node: Node | None, reason: str) -> NoReturn:
    """Raise SpecError E748 at a node, for what bars decoding in steps."""
    span = None if node is None else node.span
    path = "" if node is None or not node.path else f"`{node.path}`: "
    fail("E748", f"{path}{reason}", span, help="decode with the full forward at each step")
