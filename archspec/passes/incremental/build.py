"""The step graph, built from its plan, body by body."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim
from archspec.analyses.cache import Kept
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Op, OwnEntries, Positions, Primitive, ShapeError
from archspec.ir.repeat import Repeat, Scan, Tap
from archspec.ir.types import Axis, DType, TensorType
from archspec.ops.shape.concat import Concat
from archspec.ops.state.axis_positions import AxisPositions
from archspec.ops.state.row_positions import RowPositions
from archspec.ops.state.write_positions import WritePositions
from archspec.passes.incremental.forms import NEW, WHOLE, Fed, Form, Mode
from archspec.passes.incremental.plan import BodyPlan, Planner, Run, refuse
from archspec.record import record

Key = tuple[Hashable, ...]


@record(eq=False)
class Asked:
    """What a body takes from outside: a value of the state, or one made before the first step.

    `value` is the value of the full graph, `kind` says how it is kept, `path` where it is computed.
    """

    value: Value
    kind: Kept
    path: str

    @property
    def key(self) -> Key:
        """What distinguishes it from all others."""
        return ("state", self.value, self.kind)


class BodyBuilder:
    """Builds one body of the step; `around` builds the body that contains it, in which `node` of the full graph is."""

    def __init__(
        self, planner: Planner, plan: BodyPlan, around: BodyBuilder | None = None, node: Node | None = None
    ) -> None:
        self.planner, self.plan, self.around, self.node = planner, plan, around, node
        self.fed: Fed = planner.fed
        self.inputs: dict[Key, Value] = {}
        self.nodes: list[Node] = []
        self.made: dict[tuple[Value, Form], Value] = {}
        self.updates: list[tuple[Asked, Value]] = []
        # What is asked of the state in this body or inside it, and the input of this body for it.
        self.state: dict[Key, tuple[Asked, Value]] = {}

    # -- values from outside

    def take(self, key: Key, name: str, type_: TensorType) -> Value:
        """The input of this body for something of the bodies around it."""
        if key not in self.inputs:
            self.inputs[key] = Value(name, type_)
        return self.inputs[key]

    def counts(self, name: str) -> Value:
        """Each row's count of past positions, or of those of its new entries that are positions of its own."""
        return self.take((name,), name, TensorType.of(DType.INT64, self.fed.rows))

    def positions(self, mode: Mode) -> Value:
        """The positions of the entries of an axis in a mode."""
        key = ("positions", mode)
        if self.around is None:
            if key not in self.made:
                self.made[key] = self._positions(mode)  # type: ignore[index]
            return self.made[key]  # type: ignore[index]
        found = self._root().positions(mode)
        return self.take(key, found.name, found.type)

    def _root(self) -> BodyBuilder:
        return self if self.around is None else self.around._root()

    def _positions(self, mode: Mode) -> Value:
        op: Primitive
        if mode is WHOLE:
            op, name = AxisPositions(size=Dim.of(self.fed.length)), "key_positions"
        else:
            op = RowPositions(new=Dim.of(self.fed.new), limit=Dim.of(self.fed.length), kept=mode)
            name = "positions" if mode == NEW else f"last_{mode}_positions"
        return self.add(op, [self.counts("past")], name)

    # -- nodes

    def add(self, op: Op, inputs: Sequence[Value], name: str, like: Node | None = None) -> Value:
        """Append a node of one output, and give its output."""
        (value,) = self.append(op, inputs, [name], op.infer(*(x.type for x in inputs)), like)
        return value

    def append(
        self,
        op: Op,
        inputs: Sequence[Value],
        names: Sequence[str],
        types: Sequence[TensorType],
        like: Node | None,
        regions: Sequence[Graph] = (),
    ) -> tuple[Value, ...]:
        """Append a node; `like` gives its parameters, name, scope and span."""
        outputs = tuple(Value(name, type_) for name, type_ in zip(names, types, strict=True))
        node = Node(op=op, inputs=tuple(inputs), outputs=outputs, regions=tuple(regions))
        if like is not None:
            node = Node(
                op=op,
                inputs=tuple(inputs),
                outputs=outputs,
                parameters=like.parameters,
                owned=like.owned,
                regions=tuple(regions),
                name=like.name,
                scope=like.scope,
                span=like.span,
            )
        self.nodes.append(node)
        return outputs

    # -- the body

    def run(self) -> None:
        """Build all nodes of the body."""
        for value in self.plan.graph.inputs:
            for form in self.plan.wanted.get(value, ()):
                self._input(value, form)
            self._kept(value)
        for node in self.plan.graph.nodes:
            if node in self.plan.inner:
                self._regions(node)
            else:
                self._primitive(node)
            for value in node.outputs:
                self._kept(value)

    def _input(self, value: Value, form: Form) -> None:
        number = self.plan.graph.inputs.index(value)
        type_ = self.fed.sized(value.type, form)
        if self.around is not None and self.node is not None:
            # The operand may have rows that the full graph's value does not have.
            type_ = self.around.get(self.node.inputs[number], form).type
        self.made[value, form] = self.take(("value", number, form), value.name, type_)

    def get(self, value: Value, form: Form) -> Value:
        """A value of the full graph in a form."""
        if value in self.plan.once:
            return self.asked(Asked(value=value, kind="once", path=_path(value)), value.type)
        return self.made[value, form]

    def asked(self, asked: Asked, type_: TensorType) -> Value:
        """The input of this body that holds a value of the state."""
        found = self.take(asked.key, asked.value.name or "kept", type_)
        self.state.setdefault(asked.key, (asked, found))
        return found

    def given(self) -> list[Value]:
        """The inputs of this body that are inputs of the full graph."""
        return [value for key, value in self.inputs.items() if key[0] == "value"]

    def _kept(self, value: Value) -> None:
        """Read and write what is kept of a value."""
        for (found, form), _ in [item for item in self.plan.kept.items() if item[0][0] is value]:
            (mode,) = form
            ((axis, _),) = self.fed.axes(value.type)
            asked = Asked(value=value, kind="whole" if mode is WHOLE else "last", path=_path(value))
            new = self.made[value, self.planner.new(value)]
            old = self.asked(asked, self._state_type(value, axis, mode))
            counts = [self.counts("past")] + ([] if mode is WHOLE else [self.counts("count")])
            name = value.name or "kept"
            written = self.add(WritePositions(axis=axis, ring=mode is not WHOLE), [old, new, *counts], name)
            read = written if mode is WHOLE else self.add(Concat(axis=axis), [old, new], name)
            self.made[found, form] = read
            self.updates.append((asked, written))

    def _state_type(self, value: Value, axis: int, mode: Mode) -> TensorType:
        axes = list(value.type.axes)
        axes[axis] = Axis((Dim.of(self.fed.length) if mode is WHOLE else Dim.of(mode),))
        return TensorType(value.type.dtype, tuple(axes), value.type.bound)

    def _primitive(self, node: Node) -> None:
        done: dict[tuple[tuple[Form, ...], bool, Form], tuple[Value, ...]] = {}
        for value in node.outputs:
            for form in self.plan.wanted.get(value, ()):
                run = self.plan.runs[value, form]
                key = (run.operands, run.placed, form if run.placed else ())
                if key not in done:
                    done[key] = self._run(run)
                self.made[value, form] = done[key][value.index]

    def _run(self, run: Run) -> tuple[Value, ...]:
        node = run.node
        op = node.op
        assert isinstance(op, Primitive)
        operands: list[Value] = []
        if run.placed:
            placement = op.placed(len(node.inputs))
            assert placement is not None
            op = placement.op
            operands = [self._taken(run, one) for one in placement.operands]
        else:
            operands = [self._operand(run, number) for number in range(len(node.inputs))]
            op = self._resized(op, run)
        try:
            types = op.infer(*(x.type for x in operands))
        except ShapeError as error:
            refuse(node, f"`{op.name}` does not run on new positions alone: {error.message}")
        if not run.placed and types[run.output].shape not in self._expected(run):
            refuse(node, f"`{op.name}` does not run on new positions alone: it gives {types[run.output]}")
        return self.append(op, operands, [value.name for value in node.outputs], types, node)

    def _operand(self, run: Run, number: int) -> Value:
        return self.get(run.node.inputs[number], run.operands[number])

    def _taken(self, run: Run, one: int | Positions | OwnEntries) -> Value:
        """What an op that takes positions is applied to."""
        match one:
            case Positions():
                return self._positions_of(run, one)
            case OwnEntries(operand=number):
                value = run.node.inputs[number]
                return self.get(value, self.planner.new(value))
            case _:
                return self._operand(run, one)

    def _positions_of(self, run: Run, asked: Positions) -> Value:
        mode = self.planner.mode(run, asked)
        if mode is Ellipsis:
            value = run.node.outputs[0] if asked.operand is None else run.node.inputs[asked.operand]
            return self.add(AxisPositions(size=value.type.shape[asked.axis]), [self.counts("past")], "")
        return self.positions(mode)  # type: ignore[arg-type]

    def _expected(self, run: Run) -> list[tuple[Dim, ...]]:
        """The shapes that a result may have: that of the full graph, and with rows where positions brought them in."""
        value = run.node.outputs[run.output]
        shape = self.fed.sized(value.type, run.form).shape
        return [shape, (self.fed.rows, *shape), (self.fed.rows, *shape[1:])]

    def _resized(self, op: Primitive, run: Run) -> Primitive:
        """The op with the entries of the step in the fields that give the size of its result."""
        changed = {name: getattr(op, name) for name in op.sized if self.fed.is_in(getattr(op, name))}
        if not changed:
            return op
        if len(set(run.form)) != 1:
            refuse(run.node, f"`{op.name}` makes axes of new and of past positions at once")
        size = self.fed.entries(run.form[0])
        return replace(op, **{name: _replaced(found, Dim.of(self.fed.length), size) for name, found in changed.items()})

    # -- regions

    def _regions(self, node: Node) -> None:
        bodies = [BodyBuilder(self.planner, plan, self, node) for plan in self.plan.inner[node]]
        for body in bodies:
            body.run()
        if isinstance(node.op, Repeat):
            self._repeat(node, node.op, bodies)
        else:
            self._call(node, bodies[0])

    def _given(self, node: Node, key: Key, body: BodyBuilder, layers: int | None = None) -> Value:
        """The operand for an input of a region; with `layers` a part of the state is stacked over as many layers."""
        match key:
            case ("value", int(number), form):
                return self.get(node.inputs[number], form)  # type: ignore[arg-type]
            case ("positions", mode):
                return self.positions(mode)  # type: ignore[arg-type]
            case ("state", *_):
                asked, value = body.state[key]
                axes = value.type.axes if layers is None else (Axis((Dim.of(layers),)), *value.type.axes)
                return self.asked(asked, TensorType(value.type.dtype, axes, value.type.bound))
            case _:
                return self.counts(str(key[0]))

    def _call(self, node: Node, body: BodyBuilder) -> None:
        wanted = [(value, form) for value in node.outputs for form in self.plan.wanted.get(value, ())]
        region = node.regions[0]
        results = [body.get(region.outputs[value.index], form) for value, form in wanted]
        outputs = [*results, *(value for _, value in body.updates)]
        graph = Graph(name=region.name, inputs=tuple(body.inputs.values()), nodes=tuple(body.nodes), outputs=tuple(outputs))
        operands = [self._given(node, key, body) for key in body.inputs]
        op = node.op
        assert isinstance(op, Call)
        types = [value.type for value in outputs]
        names = [*(value.name for value, _ in wanted), *(value.name for _, value in body.updates)]
        made = self.append(replace(op, results=tuple(types)), operands, names, types, node, [graph])
        self.made.update(zip(wanted, made, strict=False))
        self.updates += zip([asked for asked, _ in body.updates], made[len(wanted) :], strict=True)

    def _repeat(self, node: Node, op: Repeat, bodies: Sequence[BodyBuilder]) -> None:
        keys = _aligned(bodies, self.planner.new(node.inputs[0]))
        counts = [op.schedule.count(number) for number in range(len(bodies))]
        operands, scans = [], []
        for number, (key, (body, _)) in enumerate(keys.items()):
            operands.append(self._given(node, key, bodies[body], counts[body]))
            if key[0] == "state":
                scans.append(Scan(body=body, operand=number))
        taps = [(tap, value) for tap, value in zip(op.taps, node.outputs[1:], strict=False) if value in self.plan.wanted]
        regions, found = [], []
        for number, body in enumerate(bodies):
            region, outer = body.plan.graph, body
            inner = region.outputs
            needed = list(dict.fromkeys(tap.output for tap, _ in taps if op.schedule[tap.layer] == number))
            results = [outer.get(inner[k], self.planner.new(inner[k])) for k in (0, *needed)]
            updates = [value for _, value in body.updates]
            inputs = [body.inputs.get(key) or Value(value.name, value.type) for key, (_, value) in keys.items()]
            regions.append(
                Graph(
                    name=region.name,
                    inputs=tuple(inputs),
                    nodes=tuple(body.nodes),
                    outputs=(*results, *updates),
                )
            )
            found.append(needed)
            for place, (asked, _) in enumerate(body.updates, len(results)):
                at = list(keys).index(asked.key)
                scans[[scan.operand for scan in scans].index(at)] = Scan(body=number, operand=at, output=place)
        new_taps = tuple(Tap(layer=t.layer, output=1 + found[op.schedule[t.layer]].index(t.output)) for t, _ in taps)
        stacks = [scan for scan in scans if scan.output is not None]
        types = [regions[0].outputs[0].type]
        types += [regions[op.schedule[tap.layer]].outputs[tap.output].type for tap in new_taps]
        types += [operands[scan.operand or 0].type for scan in stacks]
        names = [node.outputs[0].name, *(value.name for _, value in taps), *(operands[s.operand or 0].name for s in stacks)]
        made = self.append(
            replace(op, results=tuple(types), taps=new_taps, scans=tuple(scans)), operands, names, types, node, regions
        )
        carried = (node.outputs[0], self.planner.new(node.outputs[0]))
        self.made[carried] = made[0]
        for (_, value), one in zip(taps, made[1:], strict=False):
            self.made[value, self.planner.new(value)] = one
        by_key = {asked.key: asked for body in bodies for asked, _ in body.updates}
        for scan, one in zip(stacks, made[1 + len(taps) :], strict=True):
            self.updates.append((by_key[list(keys)[scan.operand or 0]], one))


def _aligned(bodies: Sequence[BodyBuilder], carried: Form) -> dict[Key, tuple[int, Value]]:
    """The inputs of all bodies of a repeat, the carried value first: the body that has each, and its value there."""
    first: Key = ("value", 0, carried)
    found: dict[Key, tuple[int, Value]] = {first: (0, bodies[0].inputs[first])}
    for number, body in enumerate(bodies):
        for key, value in body.inputs.items():
            found.setdefault(key, (number, value))
    return found


def _replaced(thing: object, old: Dim, new: Dim) -> object:
    """A size, an axis or a tuple of them with another size in place of one."""
    match thing:
        case Dim():
            return new if thing == old else thing
        case Axis(factors=factors):
            return Axis(tuple(new if factor == old else factor for factor in factors))
        case tuple():
            return tuple(_replaced(one, old, new) for one in thing)
        case _:
            raise TypeError(f"no size: {thing!r}")


def _path(value: Value) -> str:
    """Where the full graph computes a value: the path of its module and its own name."""
    node = value.producer
    scope = "" if node is None else node.scope
    return ".".join(part for part in (scope, value.name or "kept") if part)

