"""Numbers of values: two values that have one number are the same function of the inputs and the parameters.

That is a proof: a number stands for an op, its fields, and the numbers of what it reads. Names of nodes, the order in
which they are written and how they are put into modules do not enter it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from archspec.algebra.scalar import Scalar
from archspec.diff.flat import FlatBody, Slot, Step
from archspec.diff.predicates import Number, Predicates
from archspec.diff.sizes import Over
from archspec.ir.graph import Node, Parameter, Value
from archspec.ir.op import Op, Primitive
from archspec.ir.repeat import Repeat
from archspec.ir.types import Axis, DType
from archspec.masks.coordinates import Coordinates
from archspec.masks.entail import entails, normal
from archspec.masks.given import Given
from archspec.masks.leaf import Leaf
from archspec.masks.mask import Mask
from archspec.masks.relation import relation
from archspec.masks.walk import fold, leaves, renumbered
from archspec.ops.attention.attention import Attention
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.logical import Logical
from archspec.ops.elementwise.with_number import WithNumber
from archspec.record import field_names
from archspec.rules.prove import within

Axes = tuple[Axis, ...]
"""Those of queries and keys; none where an op has no such."""
T = TypeVar("T")


class Computations:
    """Numbers of what is computed, shared by the specs that are compared."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Number] = {}
        self._masks: dict[Hashable, Mask] = {}
        self._first: dict[Axes, list[Mask]] = {}
        self.predicates = Predicates(self.of)

    def of(self, key: Hashable) -> Number:
        """The number of a computation; a new one for a new one."""
        return self._known.setdefault(key, len(self._known))

    def of_mask(self, mask: Mask, axes: Axes) -> Hashable:
        """The first mask that is proved to let see the same on these axes, over the numbers of what it reads."""
        key = unordered(mask), axes
        if key not in self._masks:
            known = self._first.setdefault(axes, [])
            same = (one for one in known if contains(one, mask, axes) and contains(mask, one, axes))
            found = next(same, None)
            if found is None:
                known.append(mask)
            self._masks[key] = mask if found is None else found
        return unordered(self._masks[key])


class ValueNumbers:
    """Numbers the values of one spec; `names` are the other spec's names of its parameters, by path."""

    def __init__(
        self, table: Computations, sizes: Over, inputs: Mapping[str, str], names: Mapping[str, str] | None
    ) -> None:
        self._table = table
        self._sizes = sizes
        self._inputs = inputs
        self._names = names
        self.known: dict[Slot, Number] = {}
        self._apart: dict[Value, Number] = {}
        self._body: FlatBody | None = None
        self._depth = 0
        self._inside_of: dict[FlatBody, frozenset[Number]] = {}
        self._drawn: Counter[Hashable] = Counter()

    @property
    def predicates(self) -> Predicates:
        """The predicates of both specs."""
        return self._table.predicates

    def run(self, body: FlatBody) -> None:
        """Number every value of a body, and of those inside it, where `known` has what it reads from outside."""
        for step in body.steps:
            read = tuple(self.known[slot] for slot in step.inputs)
            numbers = self._layers(step) if isinstance(step.op, Repeat) else self._results(step.node, read)
            self.known.update(zip(step.outputs, numbers, strict=True))

    def top(self, body: FlatBody) -> None:
        """Number the values of a graph."""
        self._body = body
        for value, slot in body.slots.items():
            if value.producer is None:
                self.known[slot] = self._input(value)
        self.run(body)

    def of(self, value: Value) -> Number:
        """The number of a value of the graph, or of one that a rule computes from these."""
        slot = None if self._body is None else self._body.slots.get(value)
        if slot is not None:
            return self.known[slot]
        if value not in self._apart:
            node = value.producer
            operands = () if node is None else tuple(self.of(operand) for operand in node.inputs)
            self._apart[value] = self._input(value) if node is None else self._results(node, operands)[value.index]
        return self._apart[value]

    def _input(self, value: Value) -> Number:
        name = self._inputs.get(value.name, value.name)
        number = self._table.of(("input", name))
        self._table.predicates.names[number] = name
        return number

    def _results(self, node: Node, operands: tuple[Number, ...]) -> list[Number]:
        """The numbers of what a primitive makes."""
        if _is_neutral(node.op):
            return [operands[0]]
        if isinstance(node.op, Compare | Logical):
            return [self._table.predicates.of(self._sizes.of(node.op), operands)]
        made = self._made(node.op, operands, node.inputs, node.parameters)
        results = [self._table.of(("output", made, number)) for number in range(len(node.outputs))]
        for number, value in zip(results, node.outputs, strict=True):
            if value.type.dtype is not DType.FLOAT:
                self._table.predicates.names.setdefault(number, node.path or value.name or node.op.name)
        return results

    def _made(
        self, op: Op, operands: tuple[Number, ...], values: tuple[Value, ...], parameters: Mapping[str, Parameter]
    ) -> Number:
        op, read = _as_by_default(self._sizes.of(op), values), operands
        mask: Hashable = None
        found = getattr(op, "mask", None)
        if isinstance(found, Mask):
            # A mask is what it lets see, in whatever order it names its controls and its terms.
            first = int(getattr(op, "first", 0))
            numbered = self.apart(found, operands[first:])
            axes = self.axes(values)
            mask, read = self._table.of_mask(numbered, axes), operands[:first]
        if isinstance(op, Primitive) and op.unread:
            # Of such operands only the sizes matter.
            types = tuple(self._sizes.of(value.type) for value in values)
            return self._table.of((*key_of(op), "sizes", *types, *self._parameters(parameters)))
        if _commutes(op):
            read = tuple(sorted(read))
        key = (*key_of(op), mask, read, *self._parameters(parameters))
        if isinstance(op, Primitive) and op.draws:
            # Two draws of random numbers are two values, although they are made alike.
            self._drawn[key] += 1
            return self._table.of((*key, "draw", self._drawn[key]))
        return self._table.of(key)

    def _parameters(self, found: Mapping[str, Parameter]) -> list[Hashable]:
        return [(name, self.name(one.path), self._sizes.of(one.type)) for name, one in sorted(found.items())]

    def inside(self, body: FlatBody) -> frozenset[Number]:
        """The numbers of the values that a body makes."""
        if body not in self._inside_of:
            self._inside_of[body] = frozenset(self.known[slot] for slot in body.makers)
        return self._inside_of[body]

    def over(self, thing: T) -> T:
        """An op or a type of this spec, over the sizes that both specs share."""
        return self._sizes.of(thing)

    def axes(self, values: Sequence[Value]) -> Axes:
        """The axes of queries and keys of an attention that reads these values."""
        query, key = (self._sizes.of(value.type) for value in values[:2])
        return (query.axes[-2], key.axes[-2]) if query.rank > 1 and key.rank > 1 else ()

    def mask(self, step: Step) -> Mask | None:
        """The mask of a step over the numbers of what it reads; None for a step without one."""
        mask = getattr(step.op, "mask", None)
        if not isinstance(mask, Mask):
            return None
        controls = step.inputs[int(getattr(step.op, "first", 0)) :]
        return self.apart(self._sizes.of(mask), [self.known[slot] for slot in controls])

    def apart(self, mask: Mask, controls: Sequence[Number]) -> Mask:
        """A mask over these numbers, with an atom for each part of what it reads."""
        return normal(self._table.predicates.apart(renumbered(normal(mask), dict(enumerate(controls)))))

    def name(self, path: str) -> Hashable:
        """What a parameter is called for both specs."""
        if self._names is None:
            return path
        return self._names.get(path, ("new", path))

    def _layers(self, step: Step) -> list[Number]:
        """The number of what layers give: each layer is its body on what the one before gives."""
        op = step.op
        assert isinstance(op, Repeat)
        if op.scans:
            raise ValueError("stacked values are part of no spec")
        made = [self._inside(step, body) for body in step.bodies]
        by_layer = [_by_layer(body) for body in step.bodies]
        carried, taps = self.known[step.inputs[0]], {}
        for layer, body in enumerate(op.schedule):
            at = (carried, op.holder(layer) if by_layer[body][0] else None, layer if by_layer[body][1] else None)
            results = [self._table.of(("layer", number, *at)) for number in made[body]]
            taps[layer] = results
            carried = results[0]
        return [carried, *(taps[tap.layer][tap.output] for tap in op.taps)]

    def _inside(self, step: Step, body: FlatBody) -> list[Number]:
        """The numbers of what a body gives, in terms of what it is given."""
        self._depth += 1
        # What a body carries is named by how deep the body stands: all else that it reads is known from outside.
        self.known[body.inputs[0]] = self._table.of(("carried", self._depth))
        self.known.update(
            (inner, self.known[outer]) for inner, outer in zip(body.inputs[1:], step.inputs[1:], strict=True)
        )
        self.run(body)
        self._depth -= 1
        return [self.known[slot] for slot in body.outputs]


def _by_layer(body: FlatBody) -> tuple[bool, bool]:
    """Whether a layer has parameters of its own, and whether a number in it depends on the index of the layer."""
    steps = list(body.walk())
    own = any("*" in one.path for step in steps for one in step.node.parameters.values())
    return own, any(_reads_layer(step.op) for step in steps)


def _reads_layer(op: Op) -> bool:
    numbers = (getattr(op, name) for name in field_names(op))
    return any(symbol.name == "layer" for one in numbers if isinstance(one, Scalar) for symbol in one.symbols())


def contains(wide: Mask, narrow: Mask, axes: Axes) -> bool:
    """Whether a mask is proved to let see all that another one does, on axes of these sizes."""
    if entails(narrow, wide):
        return True
    if any(isinstance(leaf, Given) for leaf in leaves(wide)) or len(axes) != 2 or any(len(a.factors) > 1 for a in axes):
        return False
    # On axes that are not longer, a window may see as far as there is anything to see.
    place = Coordinates(query=(0,), key=(0,))
    return within(relation(narrow, place), relation(wide, place), (axes[0].size,), (axes[1].size,), {})


def key_of(op: Op) -> tuple[Hashable, ...]:
    """An op with its fields, but for its mask and where its parameters live."""
    skipped = ("mask", "module", "results")
    return (type(op), *((name, getattr(op, name)) for name in field_names(op) if name not in skipped))


def canonical(mask: Mask, controls: tuple[Number, ...]) -> Hashable:
    """A mask with the numbers of what it reads, without redundant terms and without order."""
    return unordered(renumbered(normal(mask), dict(enumerate(controls))))


def unordered(mask: Mask) -> Hashable:
    """A mask without the order of its terms."""

    def joined(word: str) -> Callable[[list[Hashable]], Hashable]:
        return lambda terms: (word, frozenset(terms))

    def of_leaf(leaf: Leaf) -> Hashable:
        return leaf

    return fold(mask, of_leaf, joined("and"), joined("or"))


def _as_by_default(op: Op, values: Sequence[Value]) -> Op:
    """An op without an option that says what is so without it."""
    if type(op) is Attention and op.scale is not None:
        width = Scalar.of(values[0].type.shape[3]).sqrt()
        return replace(op, scale=None) if op.scale == Scalar.of(1) / width else op
    return op


def _is_neutral(op: Op) -> bool:
    """Whether an op gives what it is given."""
    if not isinstance(op, WithNumber):
        return False
    commutes = op.kind in ("add", "multiply")
    neutral = 1 if op.kind in ("multiply", "divide") else 0
    return op.number.constant() == neutral and (commutes or not op.number_first)


def _commutes(op: Op) -> bool:
    """Whether the order of two operands makes no difference, not even a rounding."""
    return isinstance(op, Binary) and op.kind in ("add", "multiply")
