"""Apply a layout: read a checkpoint into the module's tensors, write them as a checkpoint, or check shapes only.

In this package "ours" are the tensors of the compiled module and "theirs" those of the checkpoint.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from archspec.diagnostics import Collector, SpecError
from archspec.layouts.bind import Binding, bind
from archspec.layouts.layout import Layout
from archspec.layouts.line import MapLine
from archspec.layouts.operations import Shape
from archspec.layouts.report import and_more, shaped
from archspec.weights.match import Checkpoint, Equal, Match, MatchStep, checkpoint_of, match
from archspec.weights.transfer import StepMisfit, backward, fit, forward
from archspec.weights.values import check_equal, check_finite

if TYPE_CHECKING:
    from torch import Tensor


def shapes_of(tensors: Mapping[str, Tensor]) -> Mapping[str, Shape]:
    """Return shapes by name; the tensors of an open file are not read for this."""
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
    """Raise the diagnostics of a match, and E517 for every line whose shapes do not fit, all in one SpecError.

    Each line is run on meta tensors of the shapes `shapes` (theirs), and its results are compared with `parameters`
    (ours).
    """
    found = Collector()
    for diagnostic in matched.diagnostics:
        found.add(diagnostic)
    wrong: dict[MapLine | None, list[tuple[MatchStep, StepMisfit]]] = defaultdict(list)
    for step in matched.steps:
        misfit = _misfit(step, parameters, shapes)
        if misfit is not None:
            wrong[step.line].append((step, misfit))
    for line, misfits in wrong.items():
        _report_misfit(line, misfits, parameters, shapes, found)
    found.raise_if_errors()


def _misfit(step: MatchStep, parameters: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> StepMisfit | None:
    """Return why a step does not produce the expected shapes, None if it does."""
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
    line: MapLine | None,
    misfits: list[tuple[MatchStep, StepMisfit]],
    parameters: Mapping[str, Shape],
    shapes: Mapping[str, Shape],
    found: Collector,
) -> None:
    """Add one E517 for all misfits of a line: the first is shown, the others are counted."""
    step, misfit = misfits[0]
    theirs = [name for row in step.theirs for name in row]
    left = ", ".join(shaped(name, shapes) for name in theirs[:4]) + and_more(theirs[3:])
    right = ", ".join(shaped(name, parameters) for name in step.ours)
    notes = [misfit.reason] if misfit.reason else []
    if len(misfits) > 1:
        notes.append(f"{len(misfits) - 1} more tensors of this line do not fit")
    span = misfit.span or (line.place if line else None)
    help = "check the sizes against the checkpoint, and the operations of the line"
    found.error("E517", f"{left} does not fit {right}", span, notes=notes, help=help)


def import_weights(parameters: Mapping[str, Shape], layout: Layout, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert a checkpoint's tensors to ours: named and shaped as `parameters` says, in the order of `parameters`.

    `parameters` are our shapes by name, `tensors` the checkpoint. Names and shapes are checked before the first tensor
    is read. Results are views of the checkpoint's tensors where the operations allow it, otherwise copies.
    Raises SpecError E512 to E519; E526 for tied tensors that differ, E527 for values that are not finite.
    """
    return take(check_layout(parameters, layout, shapes_of(tensors)), parameters, tensors)


def take(matched: Match, parameters: Mapping[str, Shape], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert the tensors of a match whose names and shapes were checked before.

    Raises SpecError E526 for tied tensors that differ and E527 for values that are not finite; all are reported
    together.
    """
    made: dict[str, Tensor] = {}
    found = Collector()
    for step in matched.steps:
        # Line by line: only the tensors of one line are in memory beside the result.
        made.update(take_step(step, parameters, tensors, found))
    check_ties_equal(matched.equal, tensors, found)
    found.raise_if_errors()
    return {name: made[name] for name in parameters}


def take_step(
    step: MatchStep, parameters: Mapping[str, Shape], tensors: Mapping[str, Tensor], found: Collector
) -> dict[str, Tensor]:
    """Convert the tensors of one step; E527 is added to `found` for values that are not finite."""
    rows = [[_read(name, tensors, found) for name in row] for row in step.theirs]
    ours = [tuple(parameters[name]) for name in step.ours]
    return dict(zip(step.ours, forward(step.operations, rows, ours), strict=True))


def check_ties_equal(equals: Iterable[Equal], tensors: Mapping[str, Tensor], found: Collector) -> None:
    """Add E526 for each pair of tied tensors that differ: only one of the two is returned."""
    for equal in equals:
        taken, other = ((name, tensors[name]) for name in (equal.taken, equal.other))
        check_equal(taken, other, equal.tie, found)


def _read(name: str, tensors: Mapping[str, Tensor], found: Collector) -> Tensor:
    """Read one tensor and report E527 for values in it that are not finite."""
    tensor = tensors[name]
    check_finite(name, tensor, found)
    return tensor


def export_weights(
    parameters: Mapping[str, Shape],
    layout: Layout,
    tensors: Mapping[str, Tensor],
    like: Mapping[str, Shape] | None = None,
) -> dict[str, Tensor]:
    """Convert our tensors to a checkpoint of the layout; the inverse of `import_weights`.

    Names are those that the map writes, with the first prefix, and `concat` is undone in equal parts. `like`, the
    shapes of a checkpoint by name, makes the result follow the names and parts of that checkpoint instead. Tensors that
    `skip` covers are not produced.
    Raises SpecError E512, E515 or E516 for a layout that does not fit, E513 or E514 for tensors that are missing or
    unexpected, E517 for wrong shapes.
    """
    found = Collector()
    bindings = bind(layout, parameters, found)
    _check_given(parameters, tensors, found)
    checkpoint = checkpoint_of(like or (), layout, found)
    found.raise_if_errors()
    result: dict[str, Tensor] = {}
    for binding in bindings:
        with found.catching():
            result.update(export_binding(binding, [tensors[name] for name in binding.ours], checkpoint, like))
    found.raise_if_errors()
    return result


def _check_given(parameters: Mapping[str, Shape], tensors: Mapping[str, Tensor], found: Collector) -> None:
    """Report E513, E514 and E517 for tensors that are missing, unexpected or of another shape than `parameters`."""
    shapes = shapes_of(tensors)
    for name, shape in parameters.items():
        if name not in shapes:
            found.error("E513", f"`{name}` {list(shape)} missing in the weights", None)
        elif tuple(shapes[name]) != tuple(shape):
            found.error("E517", f"{shaped(name, shapes)} does not fit {shaped(name, parameters)}", None)
    for name in shapes:
        if name not in parameters:
            found.error("E514", f"unexpected {shaped(name, shapes)} in the weights", None)


def export_binding(
    binding: Binding, tensors: list[Tensor], checkpoint: Checkpoint, like: Mapping[str, Shape] | None
) -> Iterable[tuple[str, Tensor]]:
    """Return the names and tensors that one binding writes, with a copy under each tied name that `like` contains.

    Raises SpecError E517 where an operation of the line cannot be inverted.
    """
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
        help = "give the open sizes in `sizes`, or a checkpoint to take them from"
        left = ", ".join(f"`{name}` {list(x.shape)}" for name, x in zip(binding.ours, tensors, strict=True))
        found.error("E517", f"{left} cannot be inverted", misfit.span, notes=[misfit.reason], help=help)
        raise SpecError(found.diagnostics) from None
    names = _names(binding, len(rows[0]), checkpoint)
    pairs = [pair for row, made in zip(names, rows, strict=True) for pair in zip(row, made, strict=True)]
    written = binding.names() if checkpoint.actual and not line.pairing.indexed else ()
    again = [
        (other, x) for name, (_, x) in zip(written, pairs, strict=False) for other, _ in checkpoint.of_tied(name)[1:]
    ]
    # safetensors refuses tensors that share memory, so each tied name gets a copy.
    return [*pairs, *((other, x.clone()) for other, x in again)]


def _names(binding: Binding, count: int, checkpoint: Checkpoint) -> list[list[str]]:
    """Return the names in the file, in rows: those of `like` where it has them, otherwise with the first prefix."""
    rows = binding.indexed(count) if binding.line.pairing.indexed else [(name,) for name in binding.names()]
    return [[_name(name, checkpoint) for name in row] for row in rows]


def _name(name: str, checkpoint: Checkpoint) -> str:
    there = checkpoint.of_tied(name) if checkpoint.actual else []
    return there[0][0] if there else checkpoint.prefixes[0] + name
