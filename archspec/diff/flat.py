"""Bodies without calls: the primitives of a graph and of its modules in one list, and repeated layers with theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Op
from archspec.ir.types import TensorType
from archspec.record import record

Slot = int
"""The number of a value: of one body, or of one around it."""


@record(eq=False)
class Step:
    """A primitive, or layers with their bodies, over numbered values."""

    node: Node
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    bodies: tuple[FlatBody, ...] = ()

    @cached_property
    def op(self) -> Op:
        """What it does."""
        return self.node.op

    @cached_property
    def place(self) -> str:
        """The path of the node, or of the module that it stands in; "" at the top."""
        return self.node.path


class FlatBody:
    """Steps in the order of the graph, with the types of all values; `slots` number those that a graph names."""

    def __init__(
        self,
        inputs: tuple[Slot, ...],
        outputs: tuple[Slot, ...],
        steps: tuple[Step, ...],
        types: Mapping[Slot, TensorType],
        slots: Mapping[Value, Slot],
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.steps = steps
        self.types = types
        self.slots = slots
        self.makers = {slot: (step, number) for step in steps for number, slot in enumerate(step.outputs)}
        self._uses: dict[Slot, list[tuple[Step, int]]] = {}
        for step in steps:
            for number, slot in enumerate(step.inputs):
                self._uses.setdefault(slot, []).append((step, number))

    def uses(self, slot: Slot) -> Sequence[tuple[Step, int]]:
        """The steps that read a value, each with the number of the operand."""
        return self._uses.get(slot, ())

    def walk(self) -> Iterator[Step]:
        """Every step, each followed by those of its bodies."""
        for step in self.steps:
            yield step
            for body in step.bodies:
                yield from body.walk()

    def live(self) -> Iterator[Step]:
        """The steps that outputs are computed from, each followed by those of its bodies."""
        wanted = set(self.outputs)
        for step in reversed(self.steps):
            if not wanted.isdisjoint(step.outputs):
                wanted.update(step.inputs)
                yield step
                for body in step.bodies:
                    yield from body.live()


def flat(graph: Graph) -> FlatBody:
    """The steps of a graph; `slots` number the values at its top."""
    return _Flattening().body(graph)


class _Flattening:
    def __init__(self) -> None:
        self._fresh = count()
        self._types: dict[Slot, TensorType] = {}

    def body(self, graph: Graph) -> FlatBody:
        slots = {value: self._slot(value) for value in graph.inputs}
        inputs = tuple(slots[value] for value in graph.inputs)
        steps = tuple(self._steps(graph, slots))
        outputs = tuple(slots[value] for value in graph.outputs)
        return FlatBody(inputs, outputs, steps, self._types, slots)

    def _slot(self, value: Value) -> Slot:
        slot = next(self._fresh)
        self._types[slot] = value.type
        return slot

    def _steps(self, graph: Graph, slots: dict[Value, Slot]) -> Iterator[Step]:
        for node in graph.nodes:
            inputs = tuple(slots[value] for value in node.inputs)
            if isinstance(node.op, Call):
                (region,) = node.regions
                # A module may be called with one body several times, so that each call has slots of its own.
                inner = dict(zip(region.inputs, inputs, strict=True))
                yield from self._steps(region, inner)
                slots.update((out, inner[made]) for out, made in zip(node.outputs, region.outputs, strict=True))
                continue
            outputs = tuple(self._slot(value) for value in node.outputs)
            slots.update(zip(node.outputs, outputs, strict=True))
            yield Step(node=node, inputs=inputs, outputs=outputs, bodies=tuple(map(self.body, node.regions)))
