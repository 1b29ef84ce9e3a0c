"""What a step computes: which values in which forms, and what it keeps; planned from the outputs backwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import OwnEntries, Placement, PositionsOf, Primitive
from archspec.ir.repeat import Repeat
from archspec.passes.incremental.forms import NEW, Fed, Form, Mode, widest
from archspec.passes.incremental.influence import Influences
from archspec.passes.incremental.keeping import computed_again
from archspec.passes.incremental.needs import Needs
from archspec.passes.incremental.refusal import refusal
from archspec.record import field_names, record


@record(eq=False)
class StepRun:
    """A primitive as the step runs it for one output in one form, with its operands in these forms.

    `placement` says what it takes where some of its axes have other positions than their indices.
    """

    node: Node
    output: int
    form: Form
    operands: tuple[Form, ...]
    placement: Placement | None = None

    @property
    def taken(self) -> tuple[int | PositionsOf | OwnEntries, ...]:
        """What the op is applied to."""
        return tuple(range(len(self.operands))) if self.placement is None else self.placement.operands


@record(eq=False)
class BodyPlan:
    """The plan of one body.

    `wanted` are the forms of values that something reads; `kept` the forms of past entries that the state holds; `runs`
    the executions of primitives, `inner` the plans of regions, `once` the values that are made before the first step.
    `carried` is the input that a repeated body carries.
    """

    graph: Graph
    is_root: bool = False
    carried: Value | None = None
    wanted: dict[Value, dict[Form, None]] = field(default_factory=dict)
    kept: dict[Value, dict[Form, None]] = field(default_factory=dict)
    runs: dict[tuple[Value, Form], StepRun] = field(default_factory=dict)
    inner: dict[Node, list[BodyPlan]] = field(default_factory=dict)
    once: dict[Value, None] = field(default_factory=dict)

    def forms(self, value: Value) -> tuple[Form, ...]:
        """The forms of a value that something reads, other than those that are kept."""
        return tuple(self.wanted.get(value, ()))


class Planner:
    """Plans the step of a graph: `root` is the plan of its outermost body."""

    def __init__(self, graph: Graph, fed: Fed, outputs: Sequence[Value]) -> None:
        self.graph = graph
        self.fed = fed
        self.influences = Influences(graph, fed)
        self.needs = Needs(fed, self.influences)
        self._asked: dict[Form, dict[Value, None]] = {}
        self._again: set[tuple[Value, Form]] = set()
        self.root = self._planned(graph, outputs)
        # A plan keeps what is read; the next one keeps it where it takes fewest bytes, which may ask inside a call.
        # The loop ends: what is computed again is not asked for another time.
        while more := computed_again(self._asked, self.needs):
            self._again |= more
            self.root = self._planned(graph, outputs)

    def _planned(self, graph: Graph, outputs: Sequence[Value]) -> BodyPlan:
        self._asked.clear()
        root = BodyPlan(graph=graph, is_root=True)
        for value in outputs:
            self._want(root, value, self.needs.new(value))
        self._sweep(root)
        return root

    def plans(self) -> Iterator[BodyPlan]:
        """The plans of all bodies."""
        found = [self.root]
        # The loop goes on over what it appends.
        for plan in found:
            found += [inner for plans in plan.inner.values() for inner in plans]
        return iter(found)

    def modes(self, run: StepRun, asked: PositionsOf) -> Form:
        """The mode of an axis whose positions an op takes; empty for an axis that is not fed."""
        if asked.operand is None:
            value, form = run.node.outputs[0], run.form
        else:
            value, form = run.node.inputs[asked.operand], run.operands[asked.operand]
        pairs = zip(self.needs.axes(value), form, strict=True)
        return tuple(mode for (number, _), mode in pairs if number == asked.axis)

    # -- demands

    def _want(self, plan: BodyPlan, value: Value, form: Form) -> None:
        """Something of a body reads a value in a form."""
        found = self.influences.of(value)
        if found.is_late and found.fed and form and NEW not in form and self._is_kept(plan, value, form):
            self._keep(plan, value, form)
        elif not found.is_late and found.given and value.producer is not None and not self._is_mixed(value.producer):
            # Made before the first step, by the graph of `once`.
            plan.once[value] = None
        else:
            plan.wanted.setdefault(value, {})[form if found.is_late else ()] = None

    def _is_mixed(self, node: Node) -> bool:
        """Whether a call gives values that change with every step together with others."""
        return isinstance(node.op, Call) and any(self.influences.of(value).is_late for value in node.outputs)

    def _is_kept(self, plan: BodyPlan, value: Value, form: Form) -> bool:
        """Whether past entries of a value are kept here, and not computed again from operands that are kept."""
        node = value.producer
        if node is None:
            return plan.is_root or plan.carried is value
        match node.op:
            case Call():
                return False
            case Repeat():
                return True
            case _ if (value, form) in self._again:
                return False
            case _:
                self._asked.setdefault(form, {})[value] = None
                return True

    def _keep(self, plan: BodyPlan, value: Value, form: Form) -> None:
        axes = value.type.axes
        if len(form) != 1 or axes[0].size != self.fed.rows or len(axes[self.needs.axes(value)[0][0]].factors) > 1:
            reason = f"past entries of {value.type} would be kept, but it has not one axis of rows and one of positions"
            raise refusal(value.producer, reason)
        plan.kept.setdefault(value, {})[form] = None
        # What is kept is written from the new entries.
        plan.wanted.setdefault(value, {})[self.needs.new(value)] = None

    # -- the sweep

    def _sweep(self, plan: BodyPlan) -> None:
        """Plan the nodes of a body whose outputs are wanted, the last first."""
        # All readers of a value come after its node, so every form of it is known when the node is reached.
        for node in reversed(plan.graph.nodes):
            forms = [(value, form) for value in node.outputs for form in plan.forms(value)]
            match node.op:
                case _ if not forms:
                    pass
                case Call():
                    self._call(plan, node)
                case Repeat() as op:
                    self._repeat(plan, node, op)
                case Primitive() as op:
                    for value, form in forms:
                        self._primitive(plan, node, op, value, form)

    def _call(self, plan: BodyPlan, node: Node) -> None:
        inner = BodyPlan(graph=node.regions[0])
        for value, made in zip(node.outputs, node.regions[0].outputs, strict=True):
            for form in plan.forms(value):
                self._want(inner, made, form)
        self._sweep(inner)
        plan.inner[node] = [inner]
        self._capture(plan, node, [inner])

    def _repeat(self, plan: BodyPlan, node: Node, op: Repeat) -> None:
        plans = [BodyPlan(graph=region, carried=region.inputs[0]) for region in node.regions]
        for inner in plans:
            # What one layer passes on is what the next one takes, so both ends have the same form.
            for value in (inner.graph.inputs[0], inner.graph.outputs[0]):
                self._want(inner, value, self.needs.new(value))
        for tap, value in zip(op.taps, node.outputs[1:], strict=True):
            if value in plan.wanted:
                inner = plans[op.schedule[tap.layer]]
                self._want(inner, inner.graph.outputs[tap.output], self.needs.new(value))
        for inner in plans:
            self._sweep(inner)
        plan.inner[node] = plans
        self._capture(plan, node, plans)

    def _capture(self, plan: BodyPlan, node: Node, inner: Sequence[BodyPlan]) -> None:
        """What regions take from the body around them."""
        for number, operand in enumerate(node.inputs):
            for one in inner:
                for form in one.forms(one.graph.inputs[number]):
                    self._want(plan, operand, form)

    def _primitive(self, plan: BodyPlan, node: Node, op: Primitive, value: Value, form: Form) -> None:
        forms = tuple(self.needs.of(value, form, number) for number in range(len(node.inputs)))
        run = StepRun(node=node, output=value.index, form=form, operands=forms)
        if self.influences.of(value).is_late:
            self._check_sizes(node, op)
            run = self._placed(op, self._joined(run))
        plan.runs[value, form] = run
        for one in run.taken:
            match one:
                case int():
                    self._want(plan, node.inputs[one], run.operands[one])
                case OwnEntries(operand=number):
                    self._want(plan, node.inputs[number], self.needs.new(node.inputs[number]))
                case PositionsOf():
                    pass

    def _joined(self, run: StepRun) -> StepRun:
        """The run with as many past entries on every axis that reaches back: operands share it."""
        # Keys and values share the axis, so they must have equally many entries.
        past = widest(mode for form in run.operands for mode in self._older(run, form))
        forms = [tuple(past if mode in self._older(run, form) else mode for mode in form) for form in run.operands]
        return StepRun(node=run.node, output=run.output, form=run.form, operands=tuple(forms))

    def _older(self, run: StepRun, form: Form) -> list[Mode]:
        """The modes of an operand that reach further back than the result itself."""
        return [mode for mode in form if mode != NEW and mode not in run.form]

    def _placed(self, op: Primitive, run: StepRun) -> StepRun:
        """The run with positions where the op takes some. Refuses an op that cannot run at other positions."""
        placement = op.placed(len(run.operands))
        if placement is None:
            raise refusal(run.node, f"`{op.name}` does not declare how its results depend on positions")
        asked = [one for one in placement.operands if isinstance(one, PositionsOf)]
        # Past entries are not at their indices: an op that reads them must be given their positions.
        past = [number for number, form in enumerate(run.operands) if self._older(run, form)]
        if past and not any(one.operand is not None and self._older(run, self.modes(run, one)) for one in asked):
            reason = (
                f"`{op.name}` reads past entries of {run.node.inputs[past[0]].type} but does not take their positions"
            )
            raise refusal(run.node, reason)
        if not any(self.modes(run, one) for one in asked):
            return run
        return StepRun(node=run.node, output=run.output, form=run.form, operands=run.operands, placement=placement)

    def _check_sizes(self, node: Node, op: Primitive) -> None:
        """Refuse an op that computes with the number of positions."""
        # Fields in `sized` give nothing but shapes, which a step may replace.
        for name in field_names(op):
            if name not in op.sized and self.fed.is_in(getattr(op, name)):
                dim = self.fed.length.name
                raise refusal(node, f"`{name}` of `{op.name}` is computed from `{dim}`, which grows with each step")
