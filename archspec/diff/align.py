"""Which steps of two bodies are the same ones: by path, then by structure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archspec.diff.colours import Colours, Kinds, colours
from archspec.diff.flat import FlatBody, Slot, Step

Key = Callable[[Step], Hashable]


@dataclass(kw_only=True)
class StepPairs:
    """The steps of two bodies that correspond, and the values: one of the first for one of the second."""

    before: FlatBody
    after: FlatBody
    steps: dict[Step, Step] = field(default_factory=dict)
    reverse: dict[Step, Step] = field(default_factory=dict)
    inputs: dict[Slot, Slot] = field(default_factory=dict)

    def add(self, one: Step, other: Step) -> bool:
        """Pair two steps, unless either is paired already."""
        if one in self.steps or other in self.reverse:
            return False
        self.steps[one], self.reverse[other] = other, one
        return True

    def same(self, one: Slot, other: Slot) -> bool:
        """Whether two values correspond."""
        if one in self.inputs:
            return self.inputs[one] == other
        made, its = self.before.makers.get(one), self.after.makers.get(other)
        return made is not None and its is not None and self.steps.get(made[0]) is its[0] and made[1] == its[1]

    @property
    def removed(self) -> list[Step]:
        """The steps of the first body that have no partner."""
        return [step for step in self.before.steps if step not in self.steps]

    @property
    def added(self) -> list[Step]:
        """The steps of the second body that have none."""
        return [step for step in self.after.steps if step not in self.reverse]


def align(before: FlatBody, after: FlatBody, inputs: Mapping[Slot, Slot], kinds: Kinds, *, by_path: bool) -> StepPairs:
    """Pair the steps of two bodies.

    Args:
        before: the first body.
        after: the second one.
        inputs: the values from outside that correspond.
        kinds: what two steps must share to be alike, for the steps of both.
        by_path: pair first what has one path; otherwise paths only decide among steps that are alike.
    """
    pairs = StepPairs(before=before, after=after, inputs=dict(inputs))
    if by_path:
        _matched(pairs, _path)
    numbers = {one: number for number, one in enumerate(inputs)}
    first = colours(before, numbers, kinds)
    second = colours(after, {other: numbers[one] for one, other in inputs.items()}, kinds)
    _alike(pairs, first, second)
    _around(pairs)
    _matched(pairs, _path)
    _around(pairs, any_op=True)
    return pairs


def _path(step: Step) -> Hashable:
    """What tells a step from others by name; None for one that has neither a name nor parameters."""
    if step.node.name:
        return step.place
    # Several steps of a module may have no name, and parameters of the module.
    paths = tuple(sorted(one.path for one in step.node.parameters.values()))
    return (step.place, paths) if paths else None


def _matched(pairs: StepPairs, key: Key) -> None:
    """Pair steps that alone have a key."""
    first, second = _only(pairs.removed, key), _only(pairs.added, key)
    for found, one in first.items():
        if found in second:
            pairs.add(one, second[found])


def _only(steps: Iterable[Step], key: Key) -> dict[Hashable, Step]:
    keyed = [(found, step) for step in steps if (found := key(step)) is not None]
    counts = Counter(found for found, _ in keyed)
    return {found: step for found, step in keyed if counts[found] == 1}


def _alike(pairs: StepPairs, first: Colours, second: Colours) -> None:
    """Pair steps of one colour: those of one path before others, and then in order."""
    groups: defaultdict[Hashable, tuple[list[Step], list[Step]]] = defaultdict(lambda: ([], []))
    for number, (steps, of) in enumerate(((pairs.removed, first), (pairs.added, second))):
        for step in steps:
            groups[of[step]][number].append(step)
    for mine, its in groups.values():
        for one in mine:
            same = [other for other in its if other not in pairs.reverse and other.place == one.place]
            if len(same) == 1:
                pairs.add(one, same[0])
        left = [other for other in its if other not in pairs.reverse]
        for one, other in zip([one for one in mine if one not in pairs.steps], left, strict=False):
            pairs.add(one, other)


def _around(pairs: StepPairs, *, any_op: bool = False) -> None:
    """Pair what paired steps read and what reads them, where it is one op; with `any_op` whatever it is."""
    pending = list(pairs.steps.items())
    pending += [pair for pair in _at_outputs(pairs) if _fits(*pair, any_op) and pairs.add(*pair)]
    while pending:
        one, other = pending.pop()
        found = [*_makers(pairs, one.inputs, other.inputs), *_readers(pairs, one, other)]
        pending += [pair for pair in found if _fits(*pair, any_op) and pairs.add(*pair)]


def _fits(one: Step, other: Step, any_op: bool) -> bool:
    if not any_op:
        return type(one.op) is type(other.op) and _named(one) == _named(other)
    # Layers are never taken for an op, and a step with parameters not for one without.
    return (
        len(one.inputs) == len(other.inputs)
        and bool(one.bodies) == bool(other.bodies)
        and bool(one.node.parameters) == bool(other.node.parameters)
    )


def _named(step: Step) -> bool:
    return bool(step.node.name)


def _at_outputs(pairs: StepPairs) -> Iterator[tuple[Step, Step]]:
    yield from _makers(pairs, pairs.before.outputs, pairs.after.outputs)
    for one, other in pairs.inputs.items():
        yield from _users(pairs, one, other)


def _makers(pairs: StepPairs, mine: Sequence[Slot], its: Sequence[Slot]) -> Iterator[tuple[Step, Step]]:
    for one, other in zip(mine, its, strict=False):
        made, by = pairs.before.makers.get(one), pairs.after.makers.get(other)
        if made is not None and by is not None and made[1] == by[1]:
            yield made[0], by[0]


def _readers(pairs: StepPairs, one: Step, other: Step) -> Iterator[tuple[Step, Step]]:
    for mine, its in zip(one.outputs, other.outputs, strict=False):
        yield from _users(pairs, mine, its)


def _users(pairs: StepPairs, mine: Slot, its: Slot) -> Iterator[tuple[Step, Step]]:
    """The steps that alone read a value as some operand by some op, with those that alone do so of the other."""
    first = [use for use in pairs.before.uses(mine) if use[0] not in pairs.steps]
    second = [use for use in pairs.after.uses(its) if use[0] not in pairs.reverse]
    alone = Counter((type(step.op), number) for step, number in first)
    also = Counter((type(step.op), number) for step, number in second)
    others = {(type(step.op), number): step for step, number in second}
    for step, number in first:
        key = (type(step.op), number)
        if alone[key] == also[key] == 1:
            yield step, others[key]
