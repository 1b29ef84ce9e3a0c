"""Layouts applied: checkpoints to our tensors, our tensors to checkpoints, and shapes alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from archspec.diagnostics import Collector, SpecError
from archspec.layouts.bind import Binding, bind
from archspec.layouts.layout import Layout
from archspec.layouts.line import Line
from archspec.layouts.operations import Shape
from archspec.layouts.rename import renamed
from archspec.layouts.report import and_more, shaped
from archspec.weights.match import Checkpoint, Match, MatchStep, match
from archspec.weights.transfer import StepMisfit, backward, fit, forward

if TYPE_CHECKING:
    from torch import Tensor


def shapes_of(tensors: Mapping[str, Tensor]) -> Mapping[str, Shape]:
    """Shapes by name; of tensors that still lie in a file, without reading them."""
    known: Mapping[str, Shape] | None = getattr(tensors, "shapes", None)
    return {name: tuple(x.shape) for name, x in tensors.items()} if known is None else known


def check_layout(parameters: Mapping[str, Shape], layout: Layout, shapes: Mapping[str, Shape]) -> Match:
    """Check names and shapes of a checkpoint against ours, without a tensor.

    `parameters` are our shapes by name, `shapes` those of the checkpoint. Returns what each line takes.
    Raises SpecError E512 to E519 with everything that does not match.
    """
    matched = match(layout, parameters, shapes)
    check_shapes(matched, parameters, shapes)
    return matched


def check_shapes(matched: Match, parameters: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> None:
    """Raise what a match found by name, and E517 for every line that gives or takes a wrong shape."""
    found = Collector()
    for diagnostic in matched.diagnostics:
        found.add(diagnostic)
    wrong: dict[Line | None, list[tuple[MatchStep, StepMisfit]]] = defaultdict(list)
    for step in matched.steps:
        misfit = _misfit(step, parameters, shapes)
        if misfit is not None:
            wrong[step.line].append((step, misfit))
    for line, misfits in wrong.items():
        _report_misfit(line, misfits, parameters, shapes, found)
    found.raise_if_errors()


def _misfit(step: MatchStep, parameters: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> StepMisfit | None:
    ours = [tuple(parameters[name]) for name in step.ours]
    theirs = [[tuple(shapes[name]) for name in row] for row in step.theirs]
    try:
        made = fit(step.operations, theirs, ours)
    except StepMisfit as misfit:
        return misfit
    if made == ours:
        return None
    return StepMisfit(
        f"the line makes {', '.join(str(list(shape)) for shape in made)}" if step.operations else "", None
    )


def _report_misfit(
    line: Line | None,
    misfits: list[tuple[MatchStep, StepMisfit]],
    parameters: Mapping[str, Shape],
    shapes: Mapping[str, Shape],
    found: Collector,
) -> None:
    step, misfit = misfits[0]
    theirs = [name for row in step.theirs for name in row]
    left = ", ".join(shaped(name, shapes) for name in theirs[:4]) + and_more(theirs[3:])
    right = ", ".join(shaped(name, parameters) for name in step.ours)
    notes = [misfit.reason] if misfit.reason else []
    if len(misfits) > 1:
        notes.append(f"{len(misfits) - 1} more of this line do not fit")
    span = misfit.span or (line.place if line else None)
    help = "compare the sizes with those of the checkpoint, and the operations of the line"
    found.error("E517", f"{left} does not fit {right}", span, notes=notes, help=help)


def load_weights(parameters: Mapping[str, Shape], layout: Layout, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's tensors as ours, named and shaped as `parameters` says, in that order.

    Everything is checked before the first tensor is read; views where possible, copies where an operation must.
    Raises SpecError E512 to E519.
    """
    return take(check_layout(parameters, layout, shapes_of(tensors)), parameters, tensors)


def take(matched: Match, parameters: Mapping[str, Shape], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors along a match that was checked."""
    made: dict[str, Tensor] = {}
    for step in matched.steps:
        rows = [[tensors[name] for name in row] for row in step.theirs]
        ours = [tuple(parameters[name]) for name in step.ours]
        made.update(zip(step.ours, forward(step.operations, rows, ours), strict=True))
    return {name: made[name] for name in parameters}


def export_weights(
    parameters: Mapping[str, Shape],
    layout: Layout,
    tensors: Mapping[str, Tensor],
    like: Mapping[str, Shape] | None = None,
) -> dict[str, Tensor]:
    """The inverse of `load_weights`: our tensors as a checkpoint of the layout.

    Names are those that the map writes, with the first prefix, and `concat` is undone in equal parts; `like`, the
    shapes of a checkpoint by name, gives its own names and parts instead. What `skip` covers is not made.
    Raises SpecError E512, E515 or E516 for a layout that does not fit, E517 for wrong shapes.
    """
    found = Collector()
    bindings = bind(layout, parameters, found)
    _check_given(parameters, tensors, found)
    actual = None if like is None else renamed(like, layout.renames, found)
    found.raise_if_errors()
    checkpoint = Checkpoint(actual=actual or {}, prefixes=layout.prefixes)
    result: dict[str, Tensor] = {}
    for binding in bindings:
        with found.catching():
            result.update(_export(binding, [tensors[name] for name in binding.ours], checkpoint, like))
    found.raise_if_errors()
    return result


def _check_given(parameters: Mapping[str, Shape], tensors: Mapping[str, Tensor], found: Collector) -> None:
    shapes = shapes_of(tensors)
    for name, shape in parameters.items():
        if name not in shapes:
            found.error("E513", f"`{name}` {list(shape)} missing in the weights", None)
        elif tuple(shapes[name]) != tuple(shape):
            found.error("E517", f"{shaped(name, shapes)} does not fit {shaped(name, parameters)}", None)
    for name in shapes:
        if name not in parameters:
            found.error("E514", f"unexpected {shaped(name, shapes)} in the weights", None)


def _export(
    binding: Binding, tensors: list[Tensor], checkpoint: Checkpoint, like: Mapping[str, Shape] | None
) -> Iterable[tuple[str, Tensor]]:
    line = binding.line
    known = None
    if like is not None:
        names = _names(binding, checkpoint.count(binding) if line.pairing.indexed else 1, checkpoint)
        if all(name in like for row in names for name in row):
            known = [[tuple(like[name]) for name in row] for row in names]
    try:
        rows = backward(line.operations, tensors, known)
    except StepMisfit as misfit:
        found = Collector()
        help = "give the open sizes in `sizes`, or a checkpoint to make the new one like"
        left = ", ".join(f"`{name}` {list(x.shape)}" for name, x in zip(binding.ours, tensors, strict=True))
        found.error("E517", f"{left} cannot be taken back", misfit.span, notes=[misfit.reason], help=help)
        raise SpecError(found.diagnostics) from None
    names = _names(binding, len(rows[0]), checkpoint)
    return [pair for row, made in zip(names, rows, strict=True) for pair in zip(row, made, strict=True)]


def _names(binding: Binding, count: int, checkpoint: Checkpoint) -> list[list[str]]:
    """Names in the file: those of `like` where they are there, else with the first prefix."""
    rows = binding.indexed(count) if binding.line.pairing.indexed else [(name,) for name in binding.names()]
    first = checkpoint.prefixes[0]
    return [[checkpoint.find(name) or first + name for name in row] for row in rows]
