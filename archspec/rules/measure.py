"""Rules on concrete arrays: values that they name, and probes for whatever runs the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

from archspec.algebra.dim import Dim
from archspec.ir.graph import Value
from archspec.ir.op import Primitive
from archspec.record import record
from archspec.spec import Rule
from archspec.spec.rule_axes import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Item = TypeVar("Item")
# Of so few sets of changed positions, each is tried in every row of the batch.
_FEW_SETS = 24
MOST_PROBES = 256
"""The number of probes of one rule on one set of inputs, where nothing else limits it."""


class UnmeasurableError(Exception):
    """A rule names something that is not computable from the inputs; the message says what."""


@record
class Probe:
    """Positions of the input that change, and positions of the output that must stay: bool over the first axes of each.

    An axis of size 1 stands for all positions of that axis. Whoever runs the model draws the new values.
    `is_partial` says that the limit on the number of probes left others out. With `first`, these positions of the input
    change first, and only output positions that move by that must stay when `changes` change instead.
    """

    changes: Array
    holds: Array
    is_partial: bool = False
    first: Array | None = None


@record(eq=False)
class Measured:
    """The inputs on which a rule is measured, their sizes, and the largest number of probes to make."""

    arrays: Mapping[str, Array]
    sizes: Mapping[str, int]
    most: int = MOST_PROBES

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

    Each probe changes, in every row of the batch, everything that one output position must not read, and asserts every
    position that must read none of it. Together they try every pair that the rule forbids, up to `inputs.most` probes.
    """
    import numpy as np

    out, inp = rule.axis
    batch = inputs.arrays[rule.input.name].shape[0] if inp else 1
    at = promised(rule, inputs)
    made = tuple(changed_sets(np.logical_not(pairs), batch, is_spread=bool(out)))
    # A product of matrices counts many pairs faster than a conjunction of bools.
    allowed = pairs.astype(np.float32)
    for changed in spaced(made, inputs.most):
        # An output position that may read any changed position may change: it is not asserted.
        kept = np.matmul(allowed, changed[..., None].astype(np.float32))[..., 0] == 0
        holds = both(_along(kept, out), at)
        if holds.any():
            yield Probe(changes=_along(changed, inp), holds=holds, is_partial=len(made) > inputs.most)


def stretch_probes(rule: Rule, most: int, inputs: Measured) -> Iterator[Probe]:
    """Probes of a rule by which an output position sees at most a stretch of the input.

    Each changes all positions before a place, and then all that stand at least `most - 1` behind it: an output position
    that moves by both depends on two positions that are too far apart. Together they try every such pair.
    """
    import numpy as np

    (axis,) = rule.axes[1]
    count = inputs.count(rule.input, axis)
    places = np.arange(count)
    starts, at = range(1, count - most + 1), promised(rule, inputs)
    # Over all axes of the output: which of its positions move by the first change decides about each by itself.
    held = at.reshape(at.shape + (1,) * (rule.output.type.rank - at.ndim))
    for start in spaced(starts, inputs.most):
        first, last = (_alone(one, axis) for one in (places < start, places >= start + most - 1))
        yield Probe(changes=last, holds=held, is_partial=len(starts) > inputs.most, first=first)


def _alone(array: Array, axis: int) -> Array:
    """[positions] as an array with the positions on the given axis, and all positions of those before it."""
    return array.reshape(*(1 for _ in range(axis)), -1)


def changed_sets(forbidden: Array, batch: int, is_spread: bool) -> Iterator[Array]:
    """Sets of input positions to change, for each probe one of every batch row: bool [batch, input positions].

    The sets of a row are the distinct rows of what its output positions must not read. Of few sets each is tried in
    every row, the first output position's first. Of many, every row has others: rows are independent, so that each is a
    trial of its own.

    Args:
        forbidden: bool [batch or 1, output positions, input positions].
        batch: the number of rows.
        is_spread: whether rows may have different sets.
    """
    import numpy as np

    distinct = [_distinct(row) for row in forbidden] * (batch if len(forbidden) == 1 else 1)
    most = max(len(sets) for sets in distinct)
    step = batch if is_spread and most > _FEW_SETS else 1
    nothing = np.zeros((1, forbidden.shape[2]), dtype=bool)
    for start in range(0, most, step):
        numbers = range(start, start + batch) if step > 1 else [start] * batch
        rows = [(sets if len(sets) else nothing, number) for sets, number in zip(distinct, numbers, strict=True)]
        yield np.stack([sets[number % len(sets)] for sets, number in rows])


def _distinct(sets: Array) -> Array:
    """The distinct rows that are not empty, in the order of their first occurrence."""
    import numpy as np

    sets = sets[sets.any(-1)]
    if not len(sets):
        return sets
    # Packed, so that rows are compared eight positions at a time.
    _, first = np.unique(np.packbits(sets, axis=1), axis=0, return_index=True)
    found: Array = sets[np.sort(first)]
    return found


def spaced(made: Sequence[Item], most: int) -> Sequence[Item]:
    """At most `most` evenly spaced items, with both ends."""
    if len(made) <= most:
        return made
    return [made[round(place * (len(made) - 1) / max(1, most - 1))] for place in range(most)]


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
