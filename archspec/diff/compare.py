"""What changed in meaning between two specs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from archspec.checking import Report
from archspec.diff.changes import Change, Changes, Renamed
from archspec.diff.checkpoint import checkpoint, sources
from archspec.diff.costs import cache_changes, cost_changes, field_changes
from archspec.diff.flat import flat
from archspec.diff.grouping import grouped_changes
from archspec.diff.interface import (
    decode_changes,
    dim_changes,
    input_changes,
    input_names,
    output_changes,
    output_names,
    renamed,
)
from archspec.diff.masks import mask_changes
from archspec.diff.matching import Region, matched, parameter_names
from archspec.diff.numbering import Computations, ValueNumbers
from archspec.diff.renames import PathNames, renamed_paths
from archspec.diff.rules import judged, rule_changes, rules_same
from archspec.diff.sizes import joint_sizes
from archspec.diff.stated import Implications, Side
from archspec.diff.steps import Sides, differences
from archspec.diff.weights import crossed_names, layout_changes
from archspec.diff.words import listed
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.spec import Spec


def compare_meaning(before: Spec | Report, after: Spec | Report) -> Changes:
    """What changed in meaning from one spec to another: types, costs, masks, rules, what is computed, and checkpoints.

    Nodes are aligned by path, then by structure. Names, the order of independent nodes, comments, and constants in
    place of their values change nothing. That nothing changed is proved: every output is the same function of the
    inputs and the parameters. A rule is judged where something changed, unless a report has its verdict.
    """
    return _Comparison(before, after).changes()


@record(eq=False)
class _Aligned:
    """How the two graphs correspond, and the numbers of their values."""

    region: Region
    sides: Sides

    def equal(self, before: Spec, after: Spec, outputs: Mapping[str, str]) -> bool:
        """Whether the outputs are the same functions of the inputs and the parameters."""
        return len(outputs) == len(before.outputs) == len(after.outputs) and all(
            self.sides.before.of(before.outputs[one]) == self.sides.after.of(after.outputs[other])
            for one, other in outputs.items()
        )


class _Comparison:
    def __init__(self, before: Spec | Report, after: Spec | Report) -> None:
        self._given = before, after
        self.before, self.after = (one.spec if isinstance(one, Report) else one for one in (before, after))
        self.inputs = input_names(self.before, self.after)
        self.outputs = output_names(self.before, self.after)
        types = [(self.before.inputs[one].type, self.after.inputs[other].type) for one, other in self.inputs.items()]
        self.sizes = joint_sizes(self.before, self.after, types)
        self._bodies = flat(self.before.graph), flat(self.after.graph)
        first, second = self._bodies
        first.outputs = tuple(first.slots[self.before.outputs[name]] for name in self.outputs)
        second.outputs = tuple(second.slots[self.after.outputs[name]] for name in self.outputs.values())
        self.aligned, self.equal = self._aligned()
        self.paths = renamed_paths(self.aligned.region, self.before, self.after, self.inputs, self.outputs)

    def changes(self) -> Changes:
        """All changes, in the order in which a reviewer asks for them."""
        found = [
            *input_changes(self.before, self.after, self.inputs, self.sizes),
            *output_changes(self.before, self.after, self.outputs, self.sizes),
            *dim_changes(self.sizes),
        ]
        as_before = self.equal and not found
        if not as_before:
            found += cost_changes(self.before, self.after, self.sizes)
            found += cache_changes(self.before, self.after, self.sizes)
            found += field_changes(self.before, self.after, self._pairs())
        found += self._computation()
        loads = checkpoint(self.before.graph, self.after.graph, self.aligned.region)
        found += crossed_names(loads, self.before.graph)
        found += self._rules(as_before)
        found += decode_changes(self.before, self.after, self.inputs, self.outputs)
        found += layout_changes(self.before, self.after, lambda: sources(self.aligned.region))
        return Changes(
            before=self.before.name,
            after=self.after.name,
            changes=tuple(found),
            renamed=tuple(self._renamed()),
            checkpoint=loads,
        )

    def _aligned(self) -> tuple[_Aligned, bool]:
        """How the graphs correspond, and whether they compute the same.

        Paths come first. Where what has one path is not the same, structure alone may show that names have moved.
        """
        by_path = self._align(by_path=True)
        if by_path.equal(self.before, self.after, self.outputs):
            return by_path, True
        if self._parameters(0) != self._parameters(1):
            # The same function of parameters reads as many of each shape, whatever they are called.
            return by_path, False
        by_structure = self._align(by_path=False)
        if by_structure.equal(self.before, self.after, self.outputs):
            return by_structure, True
        return by_path, False

    def _parameters(self, side: int) -> Counter[TensorType]:
        """How many parameters of each type the outputs of one side read."""
        found = {one.path: one.type for step in self._bodies[side].live() for one in step.node.parameters.values()}
        return Counter((self.sizes.before, self.sizes.after)[side].of(type_) for type_ in found.values())

    def _align(self, *, by_path: bool) -> _Aligned:
        before, after = self._bodies
        slots = {value.name: after.slots[value] for value in self.after.graph.inputs}
        given = {
            before.slots[value]: slots[self.inputs[value.name]]
            for value in self.before.graph.inputs
            if value.name in self.inputs
        }
        region = matched(before, after, given, self.sizes, by_path=by_path)
        table = Computations()
        first = ValueNumbers(table, self.sizes.before, {}, None)
        named = {other: one for one, other in self.inputs.items()}
        second = ValueNumbers(table, self.sizes.after, named, parameter_names(region))
        first.top(before)
        second.top(after)
        return _Aligned(region=region, sides=Sides(before=first, after=second))

    def _pairs(self) -> dict[tuple[str, str], tuple[str, str]]:
        """The names of outputs and inputs, for fields."""
        return {
            (output, source): (self.outputs[output], self.inputs[source])
            for output in self.outputs
            for source in self.inputs
        }

    def _computation(self) -> Iterator[Change]:
        region, sides = self.aligned.region, self.aligned.sides
        found = differences(region, sides)
        if self.equal:
            # Where outputs are proved to be the same, what differs on the way to them is how it is written. How
            # parameters start and train is no part of that, nor are steps that no output reads.
            yield from grouped_changes(one for one in found if one.sort in ("training", "added", "removed"))
            return
        told = [*mask_changes(region, sides), *grouped_changes(found)]
        yield from told
        if not any(one.kind != "training" for one in told):
            yield from self._untold()

    def _untold(self) -> Iterator[Change]:
        """Outputs that are not proved to be the same although no step shows why."""
        places = tuple(
            other
            for one, other in self.outputs.items()
            if self.aligned.sides.before.of(self.before.outputs[one])
            != self.aligned.sides.after.of(self.after.outputs[other])
        )
        if places:
            yield Change(kind="computation", places=places, text=f"{listed(places)}: computed another way")

    def _rules(self, as_before: bool) -> Iterator[Change]:
        none, names = PathNames({}), PathNames(self.paths)
        sides = self.aligned.sides
        before = Side(spec=self.before, numbering=sides.before, sizes=self.sizes.before, paths=none)
        after = Side(spec=self.after, numbering=sides.after, sizes=self.sizes.after, paths=names)
        if as_before and rules_same(before, after):
            return
        old, new = (judged(given, side) for given, side in zip(self._given, (before, after), strict=True))
        yield from rule_changes(old, new, Implications(before, after, self.inputs))

    def _renamed(self) -> Iterator[Renamed]:
        yield from renamed("input", self.inputs)
        yield from renamed("output", self.outputs)
        yield from (Renamed(what="dim", before=one, after=other) for one, other in self.sizes.renamed)
        told = {*self.inputs.items(), *self.outputs.items()}
        nodes = {one: other for one, other in self.paths.items() if (one, other) not in told}
        yield from renamed("node", nodes)
