"""Primitives as the step runs them: on other entries, and with positions where they take some."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspec.algebra.dim import Dim
from archspec.ir.graph import Node, Value
from archspec.ir.op import OwnEntries, PositionsOf, Primitive, ShapeError
from archspec.ir.types import Axis, TensorType
from archspec.ops.state.axis_positions import AxisPositions
from archspec.passes.incremental.body import Body
from archspec.passes.incremental.forms import NEW, Form
from archspec.passes.incremental.plan import StepRun
from archspec.passes.incremental.refusal import refusal


def run_primitive(body: Body, node: Node) -> None:
    """Add the runs of a primitive; two outputs that need the same operands come from one run."""
    done: dict[tuple[tuple[Form, ...], Form], tuple[Value, ...]] = {}
    for value in node.outputs:
        for form in body.plan.forms(value):
            run = body.plan.runs[value, form]
            # With positions the form counts too: it says where the entries of the result stand.
            key = (run.operands, () if run.placement is None else form)
            if key not in done:
                done[key] = _run(body, run)
            body.made[value, form] = done[key][value.index]


def _run(body: Body, run: StepRun) -> tuple[Value, ...]:
    node, operands = run.node, [_operand(body, run, one) for one in run.taken]
    op = _resized(body, run) if run.placement is None else run.placement.op
    try:
        types = op.infer(*(x.type for x in operands))
    except ShapeError as error:
        raise refusal(node, f"`{op.name}` cannot run on only the new positions: {error.message}") from None
    if run.placement is None and not _fits(body, run, types[run.output]):
        raise refusal(node, f"`{op.name}` cannot run on only the new positions: it gives {types[run.output]}")
    outputs = tuple(Value(value.name, type_) for value, type_ in zip(node.outputs, types, strict=True))
    body.add_like(node, op, operands, outputs)
    return outputs


def _operand(body: Body, run: StepRun, one: int | PositionsOf | OwnEntries) -> Value:
    """What an op is applied to."""
    match one:
        case PositionsOf():
            modes = body.planner.modes(run, one)
            if modes:
                return body.positions(modes[0], apart=_are_compared(body, run))
            value = run.node.outputs[0] if one.operand is None else run.node.inputs[one.operand]
            return body.add(AxisPositions(size=value.type.shape[one.axis]), [body.counted()], "")
        case OwnEntries(operand=number):
            value = run.node.inputs[number]
            return body.get(value, body.planner.needs.new(value))
        case _:
            return body.get(run.node.inputs[one], run.operands[one])


def _are_compared(body: Body, run: StepRun) -> bool:
    """Whether an op only compares new entries with each other, as attention does that reads no past ones.

    Then what fills up a row must not be at the position of another entry, and no table needs a row for it.
    """
    asked = [one for one in run.taken if isinstance(one, PositionsOf)]
    alone = all(one.operand is not None and body.planner.modes(run, one) == (NEW,) for one in asked)
    return alone and body.fed.past is None


def _fits(body: Body, run: StepRun, found: TensorType) -> bool:
    """Whether a result has the shape of the full graph's, or that with rows where positions brought them in."""
    rows, shape = body.fed.rows, body.fed.sized(run.node.outputs[run.output].type, run.form).shape
    return found.shape in (shape, (rows, *shape), (rows, *shape[1:]))


def _resized(body: Body, run: StepRun) -> Primitive:
    """The op with the entries of the step in the fields that give the size of its result."""
    op, fed = run.node.op, body.fed
    assert isinstance(op, Primitive)
    changed: dict[str, Any] = {name: getattr(op, name) for name in op.sized if fed.is_in(getattr(op, name))}
    if not changed:
        return op
    if len(set(run.form)) != 1:
        raise refusal(run.node, f"`{op.name}` makes axes of both new and past positions")
    old, new = Dim.of(fed.length), fed.entries(run.form[0])
    made: Primitive = replace(op, **{name: _replaced(one, old, new) for name, one in changed.items()})  # type: ignore[type-var]
    return made


def _replaced(thing: object, old: Dim, new: Dim) -> object:
    """A size, an axis or a tuple of them with another size in place of one. Raises TypeError for anything else."""
    match thing:
        case Dim():
            return new if thing == old else thing
        case Axis(factors=factors):
            return Axis(tuple(new if factor == old else factor for factor in factors))
        case tuple():
            return tuple(_replaced(one, old, new) for one in thing)
        case _:
            raise TypeError(f"no size: {thing!r}")
