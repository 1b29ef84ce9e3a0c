"""The graph of what is computed before the first step: values that depend on no fed input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat, Scan
from archspec.ir.rewriter import remade
from archspec.ir.types import TensorType
from archspec.ir.verifier import verify
from archspec.passes.incremental.plan import BodyPlan


def once_graph(plan: BodyPlan, names: Mapping[Value, str]) -> Graph | None:
    """The graph that makes the values that a plan wants once; None where there are none.

    Its outputs are called by `names`, those of bodies of repeated layers stacked over these layers along axis 0.
    """
    body = _Once(plan)
    body.run()
    if not body.results:
        return None
    made = Graph(
        name=plan.graph.name,
        inputs=tuple(value for value in body.inputs.values()),
        nodes=tuple(body.nodes),
        outputs=tuple(body.results.values()),
        output_names=tuple(names[value] for value in body.results),
    )
    verify(made)
    return made


class _Once:
    """The part of one body: `inputs` are those inputs of the full body that it reads, `results` the values wanted."""

    def __init__(self, plan: BodyPlan) -> None:
        self.plan = plan
        self.inputs: dict[Value, Value] = {}
        self.nodes: list[Node] = []
        self.results: dict[Value, Value] = {}
        self._made: dict[Value, Value] = {}
        self._inner: dict[Node, list[_Once]] = {}

    def run(self) -> None:
        """Build the part."""
        needed = self._needed()
        self.inputs = {value: _like(value) for value in self.plan.graph.inputs if value in needed}
        self._made.update(self.inputs)
        for node in self.plan.graph.nodes:
            if node in self._inner:
                self._regions(node, self._inner[node])
            elif any(value in needed for value in node.outputs):
                self._copy(node)
        own = {value: self._made[value] for value in self.plan.once}
        self.results = {**own, **self.results}

    def _needed(self) -> set[Value]:
        """The values of this body that the wanted ones are computed from; builds the parts of inner bodies."""
        needed = set(self.plan.once)
        # Backwards all readers of a value come first.
        for node in reversed(self.plan.graph.nodes):
            inner = [_Once(plan) for plan in self.plan.inner.get(node, ())]
            for body in inner:
                body.run()
            if any(body.results for body in inner):
                self._inner[node] = inner
                read = {value for body in inner for value in body.inputs}
                for region in node.regions:
                    needed.update(x for x, value in zip(node.inputs, region.inputs, strict=True) if value in read)
            elif not needed.isdisjoint(node.outputs):
                needed.update(node.inputs)
        return needed

    def _copy(self, node: Node) -> None:
        made = remade(node, inputs=[self._made[x] for x in node.inputs])
        self.nodes.append(made)
        self._made.update(zip(node.outputs, made.outputs, strict=True))

    def _add(
        self, node: Node, inputs: Sequence[Value], outputs: Sequence[Value], regions: Sequence[Graph], **changed: object
    ) -> None:
        self.nodes.append(
            replace(node, inputs=tuple(inputs), outputs=tuple(outputs), regions=tuple(regions), **changed)  # type: ignore[arg-type]
        )

    def _regions(self, node: Node, bodies: Sequence[_Once]) -> None:
        """A call or repeated layers of which only a part is made."""
        numbers = sorted({body.plan.graph.inputs.index(value) for body in bodies for value in body.inputs})
        operands = [self._made[node.inputs[number]] for number in numbers]
        if isinstance(node.op, Call):
            (body,) = bodies
            region = _region(body, [body.inputs[body.plan.graph.inputs[n]] for n in numbers], body.results.values())
            op, outputs = replace(node.op, results=_types(region)), tuple(_like(value) for value in region.outputs)
            self._add(node, operands, outputs, [region], op=op)
            self.results.update(zip(body.results, outputs, strict=True))
        else:
            self._repeat(node, bodies, numbers, operands)

    def _repeat(self, node: Node, bodies: Sequence[_Once], numbers: list[int], operands: list[Value]) -> None:
        op = node.op
        assert isinstance(op, Repeat)
        scans, regions, stacks = [], [], []
        # Layers must carry something: here an operand, unchanged.
        for number, body in enumerate(bodies):
            given = [body.inputs.get(body.plan.graph.inputs[n]) for n in numbers]
            inputs = [value or _like(operand) for value, operand in zip(given, operands, strict=True)]
            carried = _like(operands[0])
            regions.append(_region(body, [carried, *inputs], [carried, *body.results.values()]))
            for place, (value, made) in enumerate(body.results.items(), 1):
                scans.append(Scan(body=number, output=place))
                count = op.schedule.count(number)
                stacks.append((value, Value(made.name, made.type.with_axes(count, *made.type.axes))))
        outputs = [_like(operands[0]), *(stack for _, stack in stacks)]
        # No taps: what is wanted of layers is stacked.
        changed = replace(op, results=tuple(x.type for x in outputs), taps=(), scans=tuple(scans))
        self._add(node, [operands[0], *operands], outputs, regions, op=changed)
        self.results.update(stacks)


def _like(value: Value) -> Value:
    return Value(value.name, value.type)


def _region(body: _Once, inputs: Sequence[Value], outputs: Sequence[Value] | object) -> Graph:
    return Graph(
        name=body.plan.graph.name,
        inputs=tuple(inputs),
        nodes=tuple(body.nodes),
        outputs=tuple(outputs),  # type: ignore[arg-type]
    )


def _types(region: Graph) -> tuple[TensorType, ...]:
    return tuple(value.type for value in region.outputs)
