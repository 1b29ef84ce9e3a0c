"""Both sides of a layout beside each other: what maps to what, and what is left, without reading a tensor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from archspec.diagnostics import Collector, Diagnostic
from archspec.layouts.bind import bind
from archspec.layouts.layout import Layout
from archspec.layouts.operations import Operation, Shape
from archspec.layouts.parameters import parameter_shapes, tied_parameters
from archspec.layouts.read import layouts
from archspec.record import record
from archspec.spec import Spec
from archspec.weights.apply import check_shapes
from archspec.weights.choose import named, own_match, without_wrappers
from archspec.weights.draft import DraftLine, draft, spelled
from archspec.weights.match import Match, match

_NUMBER = re.compile(r"(?<![^.])[0-9]+(?![^.])")


@record
class MappedNames:
    """Names of ours and of theirs that stand for each other, with `*` for numbers, and what is done on the way.

    `shape` is that of our first name, and `count` the number of times that the line applies.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    operations: tuple[str, ...]
    shape: Shape
    count: int


@record
class LayoutSurvey:
    """How a layout, or one drafted for a checkpoint, brings the two sides together.

    `layout` is the name of the layout, None for our own names or where there is none. `missing` are tensors of ours
    that nothing maps, `left` those of theirs that nothing takes; `lines` are a draft of a map for them, and `ties` of
    `tied`.
    """

    layout: str | None
    mapped: tuple[MappedNames, ...]
    skipped: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()
    missing: Mapping[str, Shape]
    left: Mapping[str, Shape]
    lines: tuple[str, ...] = ()
    ties: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def survey_layouts(spec: Spec, layout: str | None = None) -> tuple[LayoutSurvey, ...]:
    """What each layout of a spec maps, or the one that is named; no checkpoint is needed.

    Raises SpecError for a layout that cannot be read, E520 for one that is not there.
    """
    ours = parameter_shapes(spec.graph)
    known = layouts(spec)
    chosen = known if layout is None else (named(known, layout),)
    return tuple(_of_layout(one, ours) for one in chosen)


def _of_layout(layout: Layout, ours: Mapping[str, Shape]) -> LayoutSurvey:
    found = Collector()
    pairs = []
    for binding in bind(layout, ours, found):
        theirs = [str(pattern) for pattern in binding.theirs] if binding.line.pairing.indexed else binding.names()
        pairs.append((binding.ours, theirs, binding.line.operations))
    held = {name for names, _, _ in pairs for name in names}
    return LayoutSurvey(
        layout=layout.name,
        mapped=_grouped(pairs, ours),
        skipped=tuple(map(str, layout.skip)),
        tied=tuple(f"{tie.name} = {tie.other}" for tie in layout.tied.ties),
        missing={name: shape for name, shape in ours.items() if name not in held},
        left={},
        diagnostics=found.diagnostics,
    )


def survey_checkpoint(spec: Spec, theirs: Mapping[str, Shape], layout: str | None = None) -> LayoutSurvey:
    """What of a checkpoint maps to what, under the layout that is named or the one that fits best.

    `theirs` are the shapes of the checkpoint by name. What does not map is drafted by names and shapes.
    Raises SpecError for a layout that cannot be read, E520 for one that is not there.
    """
    ours = parameter_shapes(spec.graph)
    matched = _best(spec, ours, theirs, layout)
    found = Collector()
    with found.catching():
        check_shapes(matched, ours, theirs)
    held = {name for step in matched.steps for name in step.ours}
    taken = {name for step in matched.steps for name in step.names}
    taken.update(matched.skipped, (equal.other for equal in matched.equal))
    missing = {name: shape for name, shape in ours.items() if name not in held}
    left = {new: tuple(theirs[name]) for new, name in without_wrappers(ours, theirs).items() if name not in taken}
    drafted = draft(missing, left)
    return LayoutSurvey(
        layout=matched.layout.name if matched.layout else None,
        mapped=_grouped([(step.ours, step.names, step.operations) for step in matched.steps], ours),
        skipped=matched.skipped,
        tied=tuple(f"{equal.other} = {equal.taken}" for equal in matched.equal),
        missing=missing,
        left=left,
        lines=spelled(drafted, missing),
        ties=_ties(spec, matched, drafted, left),
        diagnostics=found.diagnostics if matched.steps else (),
    )


def _ties(spec: Spec, matched: Match, drafted: Sequence[DraftLine], left: Mapping[str, Shape]) -> tuple[str, ...]:
    """Entries of `tied` for what is left and has the shape of a tensor that becomes a tied parameter."""
    theirs = {step.ours[0]: step.names[0] for step in matched.steps if len(step.ours) == len(step.names) == 1}
    theirs |= {ours: name for line in drafted for ours, name in line.taken.items()}
    used = {name for line in drafted for name in line.theirs.names.values()}
    shapes = parameter_shapes(spec.graph)
    tables = [(theirs[name], shapes[name]) for name in sorted(tied_parameters(spec.graph)) if name in theirs]
    return tuple(
        f"{name}: {table}" for table, shape in tables for name in left if left[name] == shape and name not in used
    )


def _best(spec: Spec, ours: Mapping[str, Shape], theirs: Mapping[str, Shape], layout: str | None) -> Match:
    """The match with the fewest misses; one that maps nothing where no name fits."""
    known = layouts(spec)
    if layout is not None:
        return match(named(known, layout), ours, theirs)
    own = own_match(ours, theirs)
    tried = [own] if own is not None else [match(one, ours, theirs) for one in known]
    nothing = Match(steps=(), diagnostics=())
    best = min(tried, key=lambda one: one.misses, default=nothing)
    return best if best.steps else nothing


def _grouped(
    pairs: Iterable[tuple[Sequence[str], Sequence[str], Sequence[Operation]]], ours: Mapping[str, Shape]
) -> tuple[MappedNames, ...]:
    """Pairs that differ only in their numbers as one."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], list[Shape]] = {}
    for names, theirs, operations in pairs:
        key = (_starred(names), _starred(theirs), tuple(operation.word for operation in operations))
        groups.setdefault(key, []).append(tuple(ours[names[0]]))
    return tuple(
        MappedNames(ours=left, theirs=right, operations=words, shape=shapes[0], count=len(shapes))
        for (left, right, words), shapes in groups.items()
    )


def _starred(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_NUMBER.sub("*", name) for name in names))
