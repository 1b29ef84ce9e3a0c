"""The steps of two specs that correspond, body by body, and what their parameters are called in the other spec."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from archspec.diff.align import Pairs, align
from archspec.diff.flat import Body, Slot, Step
from archspec.diff.numbering import canonical, key_of
from archspec.diff.places import ALL, Layers, Place
from archspec.diff.sizes import JointSizes, Over
from archspec.ir.repeat import Repeat
from archspec.masks.mask import Mask
from archspec.record import record


@record(eq=False)
class Region:
    """Two bodies whose steps are paired, and those of the layers in them.

    `layers` says for each `*` of a path which layers run the bodies.
    """

    pairs: Pairs
    layers: tuple[Layers, ...] = ()
    inner: tuple[Region, ...] = ()

    def walk(self) -> Iterator[Region]:
        """This one and those inside it."""
        yield self
        for region in self.inner:
            yield from region.walk()

    def place(self, step: Step) -> Place:
        """Where a step stands; one at the top that has no name is told by what it makes."""
        return Place(step.place or step.node.outputs[0].name or step.op.name, self.layers)


@record
class Matching:
    """Pairs the bodies of two specs; `kinds` are those of all steps of both."""

    kinds: Mapping[Step, Hashable]
    by_path: bool

    def region(
        self, before: Body, after: Body, inputs: Mapping[Slot, Slot], layers: tuple[Layers, ...] = ()
    ) -> Region:
        """Pair the steps of two bodies, of which `inputs` are the values from outside that correspond."""
        pairs = align(before, after, inputs, self.kinds, by_path=self.by_path)
        stacks = [(one, other) for one, other in pairs.steps.items() if one.bodies and other.bodies]
        inner = tuple(region for one, other in stacks for region in self._stacks(pairs, one, other, layers))
        return Region(pairs=pairs, layers=layers, inner=inner)

    def _stacks(self, pairs: Pairs, one: Step, other: Step, layers: tuple[Layers, ...]) -> Iterator[Region]:
        """Pair the bodies that run at one layer of each."""
        first, second = one.op, other.op
        assert isinstance(first, Repeat) and isinstance(second, Repeat)
        runs: dict[tuple[int, int], list[int]] = {}
        common = min(len(first.schedule), len(second.schedule))
        for layer, run in enumerate(zip(first.schedule, second.schedule, strict=False)):
            runs.setdefault(run, []).append(layer)
        for (mine, its), found in runs.items():
            before, after = one.bodies[mine], other.bodies[its]
            given = {before.inputs[0]: after.inputs[0], **dict(_captured(pairs, one, other, before, after))}
            yield self.region(before, after, given, (*layers, Layers(frozenset(found), common)))


def _captured(pairs: Pairs, one: Step, other: Step, before: Body, after: Body) -> Iterator[tuple[Slot, Slot]]:
    """The inputs of two bodies that are corresponding values outside."""
    for mine, inner in zip(one.inputs[1:], before.inputs[1:], strict=True):
        for its, also in zip(other.inputs[1:], after.inputs[1:], strict=True):
            if pairs.same(mine, its):
                yield inner, also


def kinds_of(body: Body, sizes: Over) -> dict[Step, Hashable]:
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


def matched(before: Body, after: Body, inputs: Mapping[Slot, Slot], sizes: JointSizes, *, by_path: bool) -> Region:
    """Pair the steps of two graphs."""
    kinds = kinds_of(before, sizes.before) | kinds_of(after, sizes.after)
    return Matching(kinds=kinds, by_path=by_path).region(before, after, inputs)
