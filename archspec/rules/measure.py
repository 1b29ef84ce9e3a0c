"""Rules on concrete arrays: values that they name, and probes for whatever runs the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from archspec.algebra.dim import Dim
from archspec.ir.graph import Value
from archspec.ir.op import Primitive
from archspec.record import record
from archspec.spec import Rule
from archspec.spec.rule_axes import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_MOST_ROWS = 12


class UnmeasurableError(Exception):
    """A rule names something that is not computable from the inputs; the message says what."""


@record
class Probe:
    """Positions of the input that change, and positions of the output that must stay: bool over the first axes of each.

    An axis of size 1 stands for all positions of that axis. Whoever runs the model draws the new values.
    """

    changes: Array
    holds: Array


@record(eq=False)
class Measured:
    """The inputs on which a rule is measured, and their sizes."""

    arrays: Mapping[str, Array]
    sizes: Mapping[str, int]

    def value(self, value: Value) -> Array:
        """A value that is determined by inputs alone, computed by the ops' references.

        Raises UnmeasurableError for one that depends on parameters or is not given.
        """
        import numpy as np

        node = value.producer
        if node is None:
            if value.name not in self.arrays:
                raise UnmeasurableError(f"`{value.name}` is not an input")
            return self.arrays[value.name]
        if not isinstance(node.op, Primitive) or node.parameters:
            raise UnmeasurableError(f"`{value.name}` depends on parameters")
        operands = [self.value(operand) for operand in node.inputs]
        return np.asarray(node.op.reference(operands, {}, self.sizes)[value.index])

    def over(self, value: Value, of: Value) -> Array:
        """A predicate or segments over axes of another value: the array, with size 1 on each axis it does not have.

        Raises UnmeasurableError where its axes are not axes of the other value.
        """
        found = self.value(value)
        places = spread(value.type.shape, of.type.shape)
        if places is None:
            raise UnmeasurableError(f"the axes of `{value.name}` differ from those of `{of.name}`")
        shape = [1] * (places[-1] + 1 if places else 0)
        for place, size in zip(places, found.shape, strict=True):
            shape[place] = size
        return found.reshape(shape)

    def count(self, value: Value, axis: int) -> int:
        """The number of positions on an axis."""
        return value.type.shape[axis].value(self.sizes)


def depends(value: Value, source: Value) -> bool:
    """Whether a value is computed from another one, or is it."""
    if value is source:
        return True
    return value.producer is not None and any(depends(operand, source) for operand in value.producer.inputs)


def promised(rule: Rule, inputs: Measured) -> Array:
    """The output positions that a rule is about by its `at`: bool over the first axes of the output.

    Raises UnmeasurableError where `at` depends on the rule's input, which the probes change.
    """
    import numpy as np

    if rule.at is None:
        return np.ones((1,), dtype=bool)
    if depends(rule.at, rule.input):
        raise UnmeasurableError(f"`at` reads `{rule.fields.input}` itself")
    found: Array = inputs.over(rule.at, rule.output).astype(bool)
    return found


def pair_probes(rule: Rule, pairs: Array, inputs: Measured) -> Iterator[Probe]:
    """Probes of a rule that allows some pairs: bool [batch or 1, output positions, input positions].

    Each probe changes everything that one output position must not read, and asserts every position that must read none
    of it. Equal probes are made once.
    """
    import numpy as np

    out, inp = rule.axis
    batch = inputs.arrays[rule.input.name].shape[0] if inp else 1
    pairs = np.broadcast_to(pairs, (batch, *pairs.shape[1:]))
    at = promised(rule, inputs)
    seen: set[bytes] = set()
    for rows in rows_tried(pairs.shape[1], batch if out else 1):
        changed = np.logical_not(pairs[np.arange(batch), rows])
        # Nothing to change, or a change that was tried before, shows nothing new.
        if changed.any() and changed.tobytes() not in seen:
            seen.add(changed.tobytes())
            # An output position that may read any changed position may change: it is not asserted.
            kept = np.logical_not((pairs & changed[:, None, :]).any(-1))
            holds = both(_along(kept, out), at)
            if holds.any():
                yield Probe(changes=_along(changed, inp), holds=holds)


def both(left: Array, right: Array) -> Array:
    """The conjunction of two arrays, the shorter of which is over the first axes of the longer."""
    rank = max(left.ndim, right.ndim)
    padded = (one.reshape(one.shape + (1,) * (rank - one.ndim)) for one in (left, right))
    first, second = padded
    met: Array = first & second
    return met


def _along(array: Array, axis: int) -> Array:
    """[batch, positions] as an array with the positions on the given axis."""
    first: Array = array[0]
    return first if axis == 0 else array.reshape(array.shape[0], *(1 for _ in range(axis - 1)), array.shape[1])


def rows_tried(count: int, batch: int) -> Iterator[Array]:
    """The output positions that probes are about, for each probe one of every batch row: int [batch].

    Of few positions each is tried, the same in all rows, so that the first leak is found first. Of many, every row has
    others; both ends are among them.
    """
    import numpy as np

    if count <= _MOST_ROWS:
        yield from (np.full(batch, row) for row in range(count))
        return
    tried = min(count, _MOST_ROWS * batch)
    spread = np.linspace(0, count - 1, -(-tried // batch) * batch).round().astype(int)
    yield from spread.reshape(-1, batch)


def between(inputs: Measured, rule: Rule, back: Dim | None, ahead: Dim | None) -> Array:
    """The pairs whose distance i - j is at most `back` and at least `-ahead`; None is infinite.

    Returns bool [1, output positions, input positions].
    """
    import numpy as np

    out, inp = rule.axis
    behind = np.arange(inputs.count(rule.output, out))[:, None] - np.arange(inputs.count(rule.input, inp))
    allowed = np.ones(behind.shape, dtype=bool)
    if back is not None:
        allowed &= behind <= back.value(inputs.sizes)
    if ahead is not None:
        allowed &= -behind <= ahead.value(inputs.sizes)
    found: Array = allowed[None]
    return found


def everything(rule: Rule, inputs: Measured) -> Array:
    """Every pair of positions on the rule's axes: bool [output positions, input positions]."""
    import numpy as np

    sides = zip((rule.output, rule.input), rule.axes, strict=True)
    return np.ones([prod(inputs.count(value, axis) for axis in axes) for value, axes in sides], dtype=bool)
