"""The checker of plans: it replays one node by node, from what ops declare and hooks convert alone.

It shares no code with the search, so that a fault there cannot pass as a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archspec.analyses.sharding.boundary import Boundaries, Boundary, Crossing
from archspec.analyses.sharding.plan import WHOLE, Conversion, Plan
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.op import Primitive
from archspec.ir.placement import Copied, Partial, Placement, Replicate, Shard, Sharding
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType, TensorType

_KINDS = {
    (Replicate, Copied),
    (Replicate, Shard),
    (Copied, Shard),
    (Partial, Replicate),
    (Partial, Copied),
    (Partial, Shard),
    (Shard, Replicate),
    (Shard, Copied),
}


def check_plan(graph: Graph, plan: Plan, boundaries: Boundaries) -> list[str]:
    """What is wrong with a plan, one line a fault; empty if every rank computes its part of what the graph computes.

    Args:
        graph: the graph that was planned.
        plan: the plan.
        boundaries: where hooks may stand.
    """
    replay = _Replay(plan, boundaries, _with_gradient(graph))
    for number, value in enumerate(graph.inputs):
        replay.pass_on(Replicate(), plan.values[value], Crossing(None, "input", number), value)
    replay.body(graph)
    for number, value in enumerate(graph.outputs):
        replay.pass_on(plan.values[value], Replicate(), Crossing(None, "output", number), value)
    unused = replay.conversions.keys() - replay.used
    return replay.faults + [f"the hook at {at.module} ({at.side} {at.number}) converts nothing" for at in unused]


@dataclass
class _Replay:
    """One walk over a graph; `moved` are the values that a gradient flows back through."""

    plan: Plan
    boundaries: Boundaries
    moved: frozenset[Value]
    faults: list[str] = field(default_factory=list)
    used: set[Boundary] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.conversions: Mapping[Boundary, Conversion] = {one.at: one for one in self.plan.conversions}
        self.stored = {one.parameter: one.placement for one in self.plan.parameters}
        self.of_layer = {
            (one.at.on_layers(()), layer): one
            for one in self.plan.conversions
            for layer in (one.at.layers[-1] if one.at.layers else ())
        }
        for one in self.plan.conversions:
            if (type(one.source), type(one.target)) not in _KINDS:
                self.faults.append(f"{one.source} cannot be converted to {one.target}")
            for run in one.runs:
                self.parted(run.type, (one.source, one.target), one.at.module)

    def body(self, graph: Graph) -> None:
        """Replay the nodes of a body."""
        for node in graph.nodes:
            if isinstance(node.op, Primitive):
                self.primitive(node, node.op)
            for number, region in enumerate(node.regions):
                self.region(node, number, region)

    def region(self, node: Node, number: int, region: Graph) -> None:
        """Replay one body of a call or a repeat, with what goes in and out of it."""
        values = self.plan.values
        # What layers hand on is followed layer by layer.
        own = 1 if isinstance(node.op, Repeat) else 0
        for k, (outer, inner) in enumerate(zip(node.inputs, region.inputs, strict=True)):
            if k >= own:
                self.pass_on(values[outer], values[inner], Crossing(node, "input", k, number), inner)
        self.body(region)
        for k, inner in enumerate(region.outputs):
            for outer in _outside(node, number, k) if k >= own else ():
                self.pass_on(values[inner], values[outer], Crossing(node, "output", k, number), inner)
        if isinstance(node.op, Repeat) and number == len(node.regions) - 1:
            self.layers(node, node.op)

    def layers(self, node: Node, op: Repeat) -> None:
        """Replay what layers hand on, each of which may have hooks of its own."""
        values = self.plan.values
        given = values[node.inputs[0]]
        for layer, number in enumerate(op.schedule):
            region, place = node.regions[number], op.holder(layer)
            first, last = region.inputs[0], region.outputs[0]
            self.pass_on(given, values[first], Crossing(node, "input", 0, number), first, place)
            crossing = Crossing(node, "output", 0, number)
            given = self.given(values[last], crossing, place)
            for out, tap in enumerate(op.taps, 1):
                if (tap.layer, tap.output) == (layer, 0):
                    self.expect(given, values[node.outputs[out]], crossing, last)
        self.expect(given, values[node.outputs[0]], Crossing(node, "output", 0), node.outputs[0])

    def pass_on(
        self, source: Placement, target: Placement, crossing: Crossing, value: Value, layer: int | None = None
    ) -> None:
        """A value goes over an edge, where a hook may convert it."""
        self.expect(self.given(source, crossing, layer), target, crossing, value)

    def expect(self, given: Placement, target: Placement, crossing: Crossing, value: Value) -> None:
        """A value is placed as it must be."""
        if not self.same(given, target, value):
            where = crossing.node.path if crossing.node else "the graph"
            self.faults.append(f"{where}: {crossing.side} {crossing.number} is {given}, expected {target}")

    def given(self, source: Placement, crossing: Crossing, layer: int | None = None) -> Placement:
        """What a hook makes of a value; `layer` is the number of a layer that may have one of its own."""
        at = self.boundaries.get(crossing)
        hook = self.conversions.get(at) if at is not None else None
        if hook is None and at is not None and layer is not None:
            hook = self.of_layer.get((at.on_layers(()), layer))
        if hook is None:
            return source
        self.used.add(hook.at)
        if hook.source != source:
            self.faults.append(f"{hook.at.module}: a hook converts {hook.source}, but the value is {source}")
        return hook.target

    def same(self, a: Placement, b: Placement, value: Value) -> bool:
        """Whether two placements agree; without a gradient, there is one way of being whole."""
        whole = (Replicate, Copied)
        return a == b or (value not in self.moved and isinstance(a, whole) and isinstance(b, whole))

    def primitive(self, node: Node, op: Primitive) -> None:
        """Replay an op: what it is given must be what its way takes."""
        values, sharding = self.plan.values, self.plan.nodes[node]
        given = [self.given(values[x], Crossing(node, "input", k)) for k, x in enumerate(node.inputs)]
        sends = [self.sends(node, k) for k in range(len(node.inputs))]
        if sharding is WHOLE:
            results = self.whole(node, given, sends)
        else:
            self.on_parts(node, op, sharding, given, sends)
            results = list(sharding.results)
        for k, (made, value) in enumerate(zip(results, node.outputs, strict=True)):
            self.pass_on(made, values[value], Crossing(node, "output", k), value)

    def sends(self, node: Node, k: int) -> bool:
        """Whether an op sends a gradient back to an operand."""
        return node.inputs[k] in self.moved and any(row[k].atoms for row in node.reads)

    def whole(self, node: Node, given: Sequence[Placement], sends: Sequence[bool]) -> list[Placement]:
        """An op that runs whole: all that has a gradient is `Replicate`, or all `Copied`."""
        kinds = {type(one) for one, has in zip(given, sends, strict=True) if has}
        kinds |= {type(self.stored[one]) for one in _derived(node)}
        others = [*given, *(self.stored[one] for one in node.parameters.values())]
        if len(kinds) > 1 or not all(isinstance(one, Replicate | Copied) for one in others):
            self.faults.append(f"{node.path} ({node.op.name}) runs whole, but is given {others}")
        return [Copied() if kinds == {Copied} else Replicate() for _ in node.outputs]

    def on_parts(
        self, node: Node, op: Primitive, sharding: Sharding, given: Sequence[Placement], sends: Sequence[bool]
    ) -> None:
        """An op that runs on parts, in a way that it declares and that the ranks allow."""
        where = f"{node.path} ({op.name})"
        if not any(self.stands_for(node, declared, sharding) for declared in op.shardings(*_types(node))):
            self.faults.append(f"{where} does not declare {sharding}")
        for k, (one, wanted) in enumerate(zip(given, sharding.operands, strict=True)):
            fits = one == wanted or (isinstance(wanted, Copied) and isinstance(one, Replicate) and not sends[k])
            if not fits:
                self.faults.append(f"{where}: operand {k} is {one}, but runs as {wanted}")
        for name, parameter in node.parameters.items():
            wanted = sharding.parameters.get(name, Copied())
            held, is_fixed = self.stored[parameter], parameter.buffer or not parameter.trainable
            if held != wanted and not (is_fixed and isinstance(held, Replicate) and isinstance(wanted, Copied)):
                self.faults.append(f"{where}: {name} is {held}, but is used as {wanted}")
            self.parted(parameter.type, (wanted,), where)
        inputs, outputs = _types(node)
        for type_, one in (*zip(inputs, sharding.operands, strict=True), *zip(outputs, sharding.results, strict=True)):
            self.parted(type_, (one,), where)
        self.faults += [f"{where}: {n} {name}" for name, n in sharding.attributes.items() if n % self.plan.ranks]

    def stands_for(self, node: Node, declared: Sharding, used: Sharding) -> bool:
        """Whether a way is the declared one, but for copies of parts where these are sound."""
        own = {k: v for k, v in declared.parameters.items() if k in node.parameters}
        pairs = [*zip(declared.operands, used.operands, strict=True), *zip(declared.results, used.results, strict=True)]
        pairs += [(own.get(name, Copied()), used.parameters.get(name, Copied())) for name in node.parameters]
        if any(_once(b) != a for a, b in pairs):
            return False
        copies = {k: b.copies for k, b in enumerate(used.operands) if isinstance(b, Shard)}
        every = {b.copies for _, b in pairs if isinstance(b, Shard)}
        if every <= {1}:
            return True
        if declared.grouped:
            others = [b for k, (_, b) in enumerate(pairs) if k not in declared.grouped]
            # Each rank needs one entry of what is grouped, which its neighbours need too.
            alone = all(self.parts(node.inputs[k].type, used.operands[k]) == 1 for k in declared.grouped)
            return alone and not any(isinstance(b, Shard) and b.copies > 1 for b in others) and bool(copies)
        return len(every) == 1 and not any(isinstance(b, Partial) for _, b in pairs)

    def parts(self, type_: TensorType, placement: Placement) -> int | None:
        """The entries of the outermost factor of a parted axis that a rank holds."""
        assert isinstance(placement, Shard)
        size = type_.axes[placement.axis].factors[0].constant
        return None if size is None else size * placement.copies // self.plan.ranks

    def parted(self, type_: TensorType, placements: Sequence[Placement], where: str) -> None:
        """Check that the ranks divide what is parted."""
        for one in placements:
            if isinstance(one, Shard):
                size = type_.axes[one.axis].factors[0].constant
                if size is None and type_.axes[one.axis].size in self.plan.lengths:
                    # The hooks divide it at run time.
                    continue
                if size is None or self.plan.ranks % one.copies or size % (self.plan.ranks // one.copies):
                    self.faults.append(f"{where}: {self.plan.ranks} ranks do not divide axis {one.axis} of {type_}")


def _once(placement: Placement) -> Placement:
    return Shard(placement.axis) if isinstance(placement, Shard) else placement


def _types(node: Node) -> tuple[list[TensorType], list[TensorType]]:
    return [x.type for x in node.inputs], [y.type for y in node.outputs]


def _outside(node: Node, number: int, k: int) -> Iterator[Value]:
    """The values outside that output `k` of a body becomes."""
    if isinstance(node.op, Call):
        yield node.outputs[k]
    elif isinstance(node.op, Repeat):
        if k == 0:
            yield node.outputs[0]
        layers = node.op.schedule.layers(number)
        taps = enumerate(node.op.taps, 1)
        yield from (node.outputs[out] for out, tap in taps if tap.output == k and tap.layer in layers)


def _with_gradient(graph: Graph) -> frozenset[Value]:
    """The floats that depend on a trained parameter or on a float input."""
    moved = {value for value in graph.inputs if value.type.dtype is DType.FLOAT}
    before = -1
    while len(moved) != before:
        before = len(moved)
        _spread(graph, moved)
    return frozenset(moved)


def _spread(graph: Graph, moved: set[Value]) -> None:
    for node in graph.nodes:
        if isinstance(node.op, Primitive):
            reads = {k for row in node.reads for k, relation in enumerate(row) if relation.atoms}
            from_inputs = any(node.inputs[k] in moved for k in reads)
            if from_inputs or _derived(node):
                moved.update(value for value in node.outputs if value.type.dtype is DType.FLOAT)
        own = 1 if isinstance(node.op, Repeat) else 0
        for number, region in enumerate(node.regions):
            pairs = zip(node.inputs[own:], region.inputs[own:], strict=True)
            moved.update(b for a, b in pairs if a in moved)
            if isinstance(node.op, Repeat) and _handed(node, node.op, number, moved):
                moved.add(region.inputs[0])
            _spread(region, moved)
            for k, inner in enumerate(region.outputs):
                if inner in moved:
                    moved.update(_outside(node, number, k))
        if isinstance(node.op, Repeat):
            if node.inputs[0] in moved:
                moved.add(node.outputs[0])
            moved.update(value for value in node.outputs[1 + len(node.op.taps) :] if value.type.dtype is DType.FLOAT)


def _handed(node: Node, op: Repeat, number: int, moved: set[Value]) -> bool:
    """Whether layers of one kind are given what has a gradient: by what is before the layers, or by the one before."""
    layers = op.schedule.layers(number)
    before = {op.schedule[layer - 1] for layer in layers if layer}
    is_given = 0 in layers and node.inputs[0] in moved
    return is_given or any(node.regions[one].outputs[0] in moved for one in before)


def _derived(node: Node) -> list[Parameter]:
    """The parameters to which an op sends a gradient."""
    declared = node.op.parameters(*(x.type for x in node.inputs))
    return [
        one for name, one in node.parameters.items() if one.trainable and not one.buffer and not declared[name].chooses
    ]
