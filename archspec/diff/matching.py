"""The steps of two specs that correspond, body by body, and what their parameters are called in the other spec."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace

from archspec.diff.align import StepPairs, align
from archspec.diff.flat import FlatBody, Slot, Step
from archspec.diff.numbering import canonical, key_of
from archspec.diff.places import ALL, LayerSet, StepPlace
from archspec.diff.sizes import JointSizes, Over
from archspec.ir.repeat import Repeat
from archspec.masks.mask import Mask
from archspec.record import record


@record(eq=False)
class Region:
    """Two bodies whose steps are paired, and those of the layers in them.

    `layers` says for each `*` of a path which layers run the bodies. `fresh` are the inputs of either body that come
    from steps without a partner outside.
    """

    pairs: StepPairs
    layers: tuple[LayerSet, ...] = ()
    fresh: frozenset[Slot] = frozenset()
    inner: tuple[Region, ...] = ()

    def walk(self) -> Iterator[Region]:
        """This one and those inside it."""
        yield self
        for region in self.inner:
            yield from region.walk()

    def is_fresh(self, body: FlatBody, slot: Slot) -> bool:
        """Whether a value of one of the bodies comes from a step without a partner."""
        made = body.makers.get(slot)
        if made is None:
            return slot in self.fresh
        return made[0] not in self.pairs.steps and made[0] not in self.pairs.reverse

    def place(self, step: Step) -> StepPlace:
        """Where a step stands; one at the top that has no name is told by what it makes."""
        return StepPlace(step.place or step.node.outputs[0].name or step.op.name, self.layers)


@record
class Matching:
    """Pairs the bodies of two specs; `kinds` are those of all steps of both."""

    kinds: Mapping[Step, Hashable]
    by_path: bool

    def region(
        self,
        before: FlatBody,
        after: FlatBody,
        inputs: Mapping[Slot, Slot],
        layers: tuple[LayerSet, ...] = (),
        fresh: frozenset[Slot] = frozenset(),
    ) -> Region:
        """Pair the steps of two bodies, of which `inputs` are the values from outside that correspond."""
        pairs = align(before, after, inputs, self.kinds, by_path=self.by_path)
        here = Region(pairs=pairs, layers=layers, fresh=fresh)
        stacks = [(one, other) for one, other in pairs.steps.items() if one.bodies and other.bodies]
        inner = tuple(region for one, other in stacks for region in self._stacks(here, one, other))
        return replace(here, inner=inner)

    def _stacks(self, around: Region, one: Step, other: Step) -> Iterator[Region]:
        """Pair the bodies that run at one layer of each."""
        first, second = one.op, other.op
        assert isinstance(first, Repeat) and isinstance(second, Repeat)
        runs: dict[tuple[int, int], list[int]] = {}
        common = min(len(first.schedule), len(second.schedule))
        for layer, run in enumerate(zip(first.schedule, second.schedule, strict=False)):
            runs.setdefault(run, []).append(layer)
        for (mine, its), found in runs.items():
            before, after = one.bodies[mine], other.bodies[its]
            given = {before.inputs[0]: after.inputs[0], **dict(_captured(around.pairs, one, other, before, after))}
            fresh = {*_fresh(around, one, before), *_fresh(around, other, after)}
            layers = (*around.layers, LayerSet(frozenset(found), common))
            yield self.region(before, after, given, layers, frozenset(fresh))


def _fresh(around: Region, step: Step, body: FlatBody) -> Iterator[Slot]:
    """The inputs of a body of layers that come from steps without a partner."""
    side = around.pairs.before if step in around.pairs.steps else around.pairs.after
    pairs = zip(step.inputs[1:], body.inputs[1:], strict=True)
    return (inner for outer, inner in pairs if around.is_fresh(side, outer))


def _captured(
    pairs: StepPairs, one: Step, other: Step, before: FlatBody, after: FlatBody
) -> Iterator[tuple[Slot, Slot]]:
    """The inputs of two bodies that are corresponding values outside."""
    for mine, inner in zip(one.inputs[1:], before.inputs[1:], strict=True):
        for its, also in zip(other.inputs[1:], after.inputs[1:], strict=True):
            if pairs.same(mine, its):
                yield inner, also


def kinds_of(body: FlatBody, sizes: Over) -> dict[Step, Hashable]:
    """What each step is, over joint sizes, without what it reads; of layers only how many there are."""
    return {step: hash((_kind(step, sizes), tuple(sorted(step.node.parameters)))) for step in body.walk()}


def _kind(step: Step, sizes: Over) -> Hashable:
    if isinstance(step.op, Repeat):
        return ("layers", len(step.op.schedule), len(step.op.taps))
    op = sizes.of(step.op)
    mask = getattr(op, "mask", None)
    # The numbers of controls are those of operands here, which have colours of their own.
    told = canonical(mask, tuple(range(len(step.inputs)))) if isinstance(mask, Mask) else None
    return (*key_of(op), told)


def parameter_names(region: Region) -> dict[str, str]:
    """The first spec's name of each parameter of the second, by path; each name is given once."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for found in region.walk():
        for one, other in found.pairs.steps.items():
            for local, parameter in other.node.parameters.items():
                path = parameter.path
                own = one.node.parameters.get(local)
                if own is None or path in names or own.path in taken or own.path.count(ALL) != path.count(ALL):
                    continue
                names[path] = own.path
                taken.add(own.path)
    return names


def matched(
    before: FlatBody, after: FlatBody, inputs: Mapping[Slot, Slot], sizes: JointSizes, *, by_path: bool
) -> Region:
    """Pair the steps of two graphs."""
    kinds = kinds_of(before, sizes.before) | kinds_of(after, sizes.after)
    return Matching(kinds=kinds, by_path=by_path).region(before, after, inputs)
