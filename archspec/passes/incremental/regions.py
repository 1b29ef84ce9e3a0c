"""Calls and repeated layers of the step: their regions take and return parts of the state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat, Scan, Tap
from archspec.ir.types import Axis, TensorType
from archspec.passes.incremental.body import Body, CountOf, Key, MaskOf, Operand, PlacesOf, StateOf


def add_call(body: Body, node: Node, op: Call, inner: Body) -> None:
    """Add a call whose region is `inner`: it returns what is wanted of it, then what replaces parts of the state."""
    wanted = [(value, form) for value in node.outputs for form in body.plan.forms(value)]
    results = [inner.get(node.regions[0].outputs[value.index], form) for value, form in wanted]
    region = _region(inner, inner.inputs.values(), [*results, *inner.updates.values()])
    names = [*(value.name for value, _ in wanted), *(value.name for value in inner.updates.values())]
    outputs = [Value(name, made.type) for name, made in zip(names, region.outputs, strict=True)]
    operands = [_given(body, node, key, value.type) for key, value in inner.inputs.items()]
    body.add_like(node, replace(op, results=tuple(x.type for x in outputs)), operands, outputs, [region])
    # The outputs behind the wanted ones replace parts of the state.
    body.made.update(zip(wanted, outputs, strict=False))
    body.updates.update(zip(inner.updates, outputs[len(wanted) :], strict=True))


def add_repeat(body: Body, node: Node, op: Repeat, inner: Sequence[Body]) -> None:
    """Add repeated layers whose regions are `inner`: parts of the state are stacked over the layers of one region."""
    keys = _aligned(inner, Operand(number=0, form=body.planner.needs.new(node.inputs[0])))
    counts = [op.schedule.count(number) for number in range(len(inner))]
    operands = []
    for key, number in keys.items():
        type_ = inner[number].inputs[key].type
        operands.append(_given(body, node, key, stacked(type_, counts[number]) if isinstance(key, StateOf) else type_))
    taps = [(tap, value) for tap, value in zip(op.taps, node.outputs[1:], strict=True) if value in body.plan.wanted]
    # An output that several layers are tapped for is returned once.
    tapped = [
        list(dict.fromkeys(tap.output for tap, _ in taps if op.schedule[tap.layer] == number))
        for number in range(len(inner))
    ]
    regions = [_layer(one, inner, keys, tapped[number]) for number, one in enumerate(inner)]
    scans = _scans(inner, keys, [1 + len(found) for found in tapped])
    stacks = [scan for scan in scans if scan.output is not None]
    changed = replace(op, taps=tuple(_tap(op, tap, tapped) for tap, _ in taps), scans=tuple(scans))
    types = [
        regions[0].outputs[0].type,
        *(regions[op.schedule[tap.layer]].outputs[tap.output].type for tap in changed.taps),
        *(stacked(regions[scan.body].outputs[scan.output or 0].type, counts[scan.body]) for scan in stacks),
    ]
    names = [node.outputs[0].name, *(value.name for _, value in taps)]
    # What replaces a part of the state has the name of this part.
    names += [operands[scan.operand or 0].name for scan in stacks]
    outputs = [Value(name, type_) for name, type_ in zip(names, types, strict=True)]
    body.add_like(node, replace(changed, results=tuple(types)), operands, outputs, regions)
    for value, made in zip([node.outputs[0], *(value for _, value in taps)], outputs, strict=False):
        body.made[value, body.planner.needs.new(value)] = made
    order = list(keys)
    for scan, made in zip(stacks, outputs[1 + len(taps) :], strict=True):
        asked = order[scan.operand or 0]
        assert isinstance(asked, StateOf)
        body.updates[asked] = made


def stacked(type_: TensorType, layers: int) -> TensorType:
    """The type of as many values of a type as there are layers, along a new first axis."""
    return TensorType(type_.dtype, (Axis((Dim.of(layers),)), *type_.axes), type_.bound)


def _region(inner: Body, inputs: object, outputs: Sequence[Value]) -> Graph:
    return Graph(
        name=inner.plan.graph.name,
        inputs=tuple(inputs),  # type: ignore[arg-type]
        nodes=tuple(inner.nodes),
        outputs=tuple(outputs),
    )


def _given(body: Body, node: Node, key: Key, type_: TensorType) -> Value:
    """The operand for an input of a region."""
    match key:
        case Operand(number=number, form=form):
            return body.get(node.inputs[number], form)
        case PlacesOf(mode=mode, apart=apart):
            return body.positions(mode, apart=apart)
        case CountOf(name=name):
            return body.counts(name)
        case MaskOf():
            return body.mask()
        case StateOf():
            return body.ask(key, type_)


def _aligned(inner: Sequence[Body], carried: Operand) -> dict[Key, int]:
    """The inputs of all regions of a repeat, the carried value first, each with the number of a region that has it."""
    found: dict[Key, int] = {carried: 0}
    for number, body in enumerate(inner):
        for key in body.inputs:
            found.setdefault(key, number)
    return found


def _layer(own: Body, inner: Sequence[Body], keys: dict[Key, int], tapped: Sequence[int]) -> Graph:
    """The region of one kind of layer: the carried value, what is tapped of it, and what replaces its state."""
    inputs = []
    for key, number in keys.items():
        other = inner[number].inputs[key]
        # Regions of one repeat have equal inputs: one that does not read a value takes it all the same.
        inputs.append(own.inputs.get(key) or Value(other.name, other.type))
    outputs = own.plan.graph.outputs
    results = [own.get(outputs[k], own.planner.needs.new(outputs[k])) for k in (0, *tapped)]
    return _region(own, inputs, [*results, *own.updates.values()])


def _scans(inner: Sequence[Body], keys: dict[Key, int], first: Sequence[int]) -> list[Scan]:
    """The parts of the state among the inputs; `first` is the number of the first output that replaces one."""
    scans = []
    for operand, (key, number) in enumerate(keys.items()):
        if isinstance(key, StateOf):
            updates = list(inner[number].updates)
            output = first[number] + updates.index(key) if key in updates else None
            scans.append(Scan(body=number, operand=operand, output=output))
    return scans


def _tap(op: Repeat, tap: Tap, tapped: Sequence[Sequence[int]]) -> Tap:
    """A tap of the outputs that a region has left: the carried value, then those that are tapped."""
    return Tap(layer=tap.layer, output=1 + list(tapped[op.schedule[tap.layer]]).index(tap.output))
