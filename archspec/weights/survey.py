"""Survey the two sides of a layout: what maps to what and what is left, without reading a tensor."""

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
    """Names of ours and of theirs that a line maps, with `*` for numbers, and the words of its operations.

    `shape` is that of our first name, `count` how often the line applies.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    operations: tuple[str, ...]
    shape: Shape
    count: int


@record
class LayoutSurvey:
    """What a layout, or a draft of one for a checkpoint, maps.

    `layout` is the name of the layout, None for our own names or if nothing matched. `missing` are tensors of ours that
    nothing maps, `left` tensors of theirs that nothing uses; `lines` is a draft of a map for them, and `ties` of
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
    """Return what each layout of a spec maps, or only the one named `layout`; no checkpoint is needed.

    Raises SpecError for a layout that cannot be read, E520 for an unknown one.
    """
    ours = parameter_shapes(spec.graph)
    known = layouts(spec)
    chosen = known if layout is None else (named(known, layout),)
    return tuple(_of_layout(one, ours) for one in chosen)


def _of_layout(layout: Layout, ours: Mapping[str, Shape]) -> LayoutSurvey:
    """Survey one layout against our shapes."""
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
    """Return what of a checkpoint maps to what, under the layout named `layout` or the one with the fewest misses.

    `theirs` are the shapes of the checkpoint by name. For tensors that do not map, lines are drafted by shapes and
    names.
    Raises SpecError for a layout that cannot be read, E520 for an unknown one.
    """
    ours = parameter_shapes(spec.graph)
    matched = _best(spec, ours, theirs, layout)
    found = Collector()
    # That a checkpoint does not fit is what a survey is about, so errors are a part of it.
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
        # Where nothing maps, every tensor would be an error of its own.
        diagnostics=found.diagnostics if matched.steps else (),
    )


def _ties(spec: Spec, matched: Match, drafted: Sequence[DraftLine], left: Mapping[str, Shape]) -> tuple[str, ...]:
    """Draft entries of `tied`: unused tensors that have the shape of a tensor that becomes a tied parameter."""
    theirs = {step.ours[0]: step.names[0] for step in matched.steps if len(step.ours) == len(step.names) == 1}
    theirs |= {ours: name for line in drafted for ours, name in line.taken.items()}
    used = {name for line in drafted for name in line.theirs.names.values()}
    shapes = parameter_shapes(spec.graph)
    tables = [(theirs[name], shapes[name]) for name in sorted(tied_parameters(spec.graph)) if name in theirs]
    return tuple(
        f"{name}: {table}" for table, shape in tables for name in left if left[name] == shape and name not in used
    )


def _best(spec: Spec, ours: Mapping[str, Shape], theirs: Mapping[str, Shape], layout: str | None) -> Match:
    """Return the match with the fewest misses, or an empty one if no name fits."""
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
    """Merge pairs that differ only in their numbers."""
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
