"""The nodes of the step, built from its plan, body by body."""

from __future__ import annotations

from archspec.ir.call import Call
from archspec.ir.graph import Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.ir.types import TensorType, axis
from archspec.ops.shape.concat import Concat
from archspec.ops.state.write_positions import WritePositions
from archspec.passes.incremental.body import Body, StateOf, path_of
from archspec.passes.incremental.forms import Form, Mode
from archspec.passes.incremental.plan import BodyPlan, Planner
from archspec.passes.incremental.regions import add_call, add_repeat
from archspec.passes.incremental.running import run_primitive
from archspec.record import record


def build_body(planner: Planner, plan: BodyPlan, around: Body | None = None, node: Node | None = None) -> Body:
    """Build a body of the step; `around` is the body that contains it, in which `node` of the full graph is."""
    body = Body(planner, plan, around, node)
    for number, value in enumerate(plan.graph.inputs):
        for form in plan.forms(value):
            body.take_operand(number, form)
        # An input may be kept too: one that is fed, or what a layer carries.
        _keep(body, value)
    for one in plan.graph.nodes:
        _add(body, one)
        for value in one.outputs:
            # At once, so that later nodes find the past entries too.
            _keep(body, value)
    return body


def _add(body: Body, node: Node) -> None:
    """Add what the step runs of a node."""
    if node not in body.plan.inner:
        run_primitive(body, node)
        return
    inner = [build_body(body.planner, plan, body, node) for plan in body.plan.inner[node]]
    match node.op:
        case Call() as op:
            add_call(body, node, op, inner[0])
        case Repeat() as op:
            add_repeat(body, node, op, inner)


def _keep(body: Body, value: Value) -> None:
    """Read and write what is kept of a value."""
    for form in body.plan.kept.get(value, ()):
        (mode,) = form
        ((number, _),) = body.planner.needs.axes(value)
        asked = StateOf(value=value, kind="last" if mode else "whole", mode=mode, path=path_of(value))
        type_, new = _kept_type(body, value, number, mode), body.made[value, body.planner.needs.new(value)]
        integers = _integers(body, value, new)
        if integers is None:
            body.updates[asked], body.made[value, form] = _written(
                body, value, body.ask(asked, type_), new, number, form
            )
            continue
        kept = body.ask(asked, TensorType(integers.made.type.dtype, type_.axes))
        body.updates[asked], read = _written(body, value, kept, integers.made, number, form)
        body.made[value, form] = integers.values(read, value.name)


def _written(body: Body, value: Value, kept: Value, new: Value, number: int, form: Form) -> tuple[Value, Value]:
    """What replaces a part of the state, and what the step reads of it: a ring is read before it is written."""
    name = value.name or "kept"
    if body.fed.past is not None:
        grown = body.add(Concat(axis=number), [kept, new], name)
        return grown, grown
    past = body.counts("past")
    if form == (None,):
        written = body.add(WritePositions(axis=number), [kept, new, past], name)
        return written, written
    ring = WritePositions(axis=number, ring=True)
    written = body.add(ring, [kept, new, past, body.counts("count")], name)
    return written, body.add(Concat(axis=number), [kept, new], name)


@record(eq=False)
class _Integers:
    """The integers of a value that was rounded: `node` has made them of new entries, `back` makes values of such."""

    body: Body
    node: Node
    back: Primitive

    @property
    def made(self) -> Value:
        return self.node.outputs[0]

    def values(self, integers: Value, name: str) -> Value:
        """The values of integers."""
        (type_,) = self.back.infer(integers.type)
        found = Value(name, type_)
        self.body.add_like(self.node, self.back, (integers,), (found,), owned=frozenset())
        return found


def _integers(body: Body, value: Value, new: Value) -> _Integers | None:
    """Make integers of new entries that are rounded, in place of rounding them; None for others."""
    node = new.producer
    if value.producer is None or node is None or not isinstance(node.op, Primitive) or node.op.integers is None:
        return None
    there, back = node.op.integers
    (operand,) = node.inputs
    made = Value(f"{value.name}_integers", there.infer(operand.type)[0])
    body.nodes.remove(node)
    body.add_like(node, there, (operand,), (made,))
    found = _Integers(body=body, node=body.nodes[-1], back=back)
    # New entries may be read by themselves too.
    body.made[value, body.planner.needs.new(value)] = found.values(made, value.name)
    return found


def _kept_type(body: Body, value: Value, number: int, mode: Mode) -> TensorType:
    axes = list(value.type.axes)
    axes[number] = axis(body.fed.kept(mode))
    return TensorType(value.type.dtype, tuple(axes), value.type.bound)
