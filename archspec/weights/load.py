"""Load weights for an architecture from a file or from tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analyses.parameters import expand
from archspec.diagnostics import Diagnostic, fail, warn
from archspec.ir.graph import Graph
from archspec.ir.types import DType
from archspec.layouts.layout import Layout
from archspec.layouts.operations import Shape
from archspec.layouts.parameters import parameter_shapes, tied_parameters
from archspec.layouts.read import layouts
from archspec.layouts.report import also, and_more, shaped
from archspec.record import record
from archspec.spec import Spec
from archspec.spec import load as load_spec
from archspec.weights.apply import check_shapes, shapes_of, take
from archspec.weights.bundled import check_floats_alone
from archspec.weights.choose import choose, named
from archspec.weights.files import WeightsFile, read_weights
from archspec.weights.match import Match, match
from archspec.weights.quantised import Dequantised, fp8_names

if TYPE_CHECKING:
    from torch import Tensor


@record
class WeightsReport:
    """How a checkpoint was read.

    `layout` is the name of the layout, None for a checkpoint in the module's own names; `tensors` counts the loaded
    tensors. Names in the file: `skipped` are those that `skip` covers, `tied` those that were compared with another and
    equal it, `dequantised` those in fp8. `warnings` are diagnostics for the user.
    """

    layout: str | None
    tensors: int
    skipped: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()
    dequantised: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


@record(eq=False)
class LoadedWeights:
    """Tensors by the names of the module's state dict, and how they were read.

    `is_own` says that their memory is neither a mapped file's nor the caller's.
    """

    tensors: Mapping[str, Tensor]
    report: WeightsReport
    is_own: bool = False


def load(
    spec: Spec | str | Path, weights: str | Path | Mapping[str, Tensor], layout: str | Layout | None = None
) -> dict[str, Tensor]:
    """Return weights ready for `module.load_state_dict(..., strict=True)`, with `module` compiled from `spec`.

    `weights` is a safetensors file, an index of shards, a folder with either, a GGUF file, or tensors by name. `layout`
    is a layout, or the name of one of the spec's; without it, the one under which every name matches is used, and a
    checkpoint in the module's own names needs none. Tensors keep their dtype; those in fp8 are multiplied by their
    scales into float32, and so are the quantised blocks of GGUF.
    Warns with SpecWarning W510 or W511. Raises SpecError E510 to E528, TypeError for what is no weights at all.
    """
    loaded = load_from(spec if isinstance(spec, Spec) else load_spec(spec), weights, layout)
    warn(loaded.report.warnings)
    return dict(loaded.tensors)


def load_from(
    spec: Spec, weights: str | Path | Mapping[str, Tensor], layout: str | Layout | None = None
) -> LoadedWeights:
    """Load as `load` does, and return a report of how the weights were read; warnings are returned, not issued."""
    with matched_weights(spec, weights, layout) as found:
        made = take(found.match, found.ours, found.tensors)
        check_floats(spec.graph, made)
        return LoadedWeights(tensors=made, report=found.report(), is_own=found.is_own)


@record(eq=False)
class MatchedWeights:
    """A checkpoint whose names and shapes fit a graph; no tensor of it was read yet.

    `ours` are the shapes of our tensors by name, `tensors` those of the checkpoint, `warnings` are about its files.
    `file` is the open checkpoint, None for tensors that were given. What is read has memory of its own if `is_own`.
    """

    graph: Graph
    ours: Mapping[str, Shape]
    tensors: Dequantised
    match: Match
    warnings: tuple[Diagnostic, ...]
    is_own: bool
    file: WeightsFile | None = None

    def report(self) -> WeightsReport:
        """Return how the checkpoint is read."""
        names = [name for step in self.match.steps for name in step.names]
        return WeightsReport(
            layout=self.match.layout.name if self.match.layout else None,
            tensors=len(self.ours),
            skipped=self.match.skipped,
            tied=tuple(equal.other for equal in self.match.equal),
            dequantised=tuple(name for name in names if name in self.tensors.scales),
            warnings=(*self.warnings, *skipped_ties(self.graph, self.match, self.tensors.shapes)),
        )


@contextmanager
def matched_weights(
    spec: Spec, weights: str | Path | Mapping[str, Tensor], layout: str | Layout | None
) -> Iterator[MatchedWeights]:
    """Match a checkpoint with a spec, and hold its files open for the time of the context.

    Raises SpecError E510 to E523 and E528, TypeError for what is no weights at all.
    """
    if not isinstance(weights, (str, Path, Mapping)):
        raise TypeError(f"expected a path or a map of tensors by name, got a {type(weights).__name__}")
    with ExitStack() as stack:
        path = weights if isinstance(weights, (str, Path)) else None
        if isinstance(weights, (str, Path)):
            weights = stack.enter_context(read_weights(weights))
        file = weights if isinstance(weights, WeightsFile) else None
        given = file if file is not None else _as_tensors(weights)
        tensors = Dequantised(given, shapes_of(given), fp8_names(given))
        ours = parameter_shapes(spec.graph)
        check_floats_alone(ours, tensors.shapes, path)
        match = find_match(spec, ours, tensors.shapes, layout)
        # Names and shapes first, then scales, then values: a wrong layout is found before any tensor is read.
        check_shapes(match, ours, tensors.shapes)
        tensors.check([name for step in match.steps for name in step.names])
        yield MatchedWeights(
            graph=spec.graph,
            ours=ours,
            tensors=tensors,
            match=match,
            warnings=file.warnings if file is not None else (),
            is_own=file is not None and not file.is_mapped,
            file=file,
        )


def find_match(
    spec: Spec, ours: Mapping[str, Shape], theirs: Mapping[str, Shape], layout: str | Layout | None
) -> Match:
    """Return the match under the given layout, or under the one layout of the spec that fits.

    Raises SpecError E520 for an unknown layout, E521 if none fits or several do.
    """
    if layout is None:
        return choose(layouts(spec), ours, theirs)
    return match(layout if isinstance(layout, Layout) else named(layouts(spec), str(layout)), ours, theirs)


def _as_tensors(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors or arrays by name as tensors without gradients. Raises SpecError E524 for what is neither."""
    import torch

    made: dict[str, Tensor] = {}
    for name, value in weights.items():
        # A number or a list would become a tensor too, but nobody stores parameters so.
        if not (hasattr(value, "shape") and hasattr(value, "dtype")):
            fail("E524", f"`{name}` is a {type(value).__name__}, expected a tensor", None)
        try:
            made[name] = torch.as_tensor(value).detach()
        except (TypeError, ValueError, RuntimeError) as error:
            notes = [str(error).splitlines()[0]]
            fail("E524", f"`{name}` of dtype {value.dtype} is not a tensor of numbers", None, notes=notes)
    return made


def skipped_ties(graph: Graph, matched: Match, theirs: Mapping[str, Shape]) -> tuple[Diagnostic, ...]:
    """Return a warning W510 if `skip` covers a tensor that has the shape of a tied parameter.

    Such a tensor may be an untied copy with values of its own, which `skip` would drop without comparison.
    """
    tied = tied_parameters(graph)
    shapes = {
        tuple(theirs[name]): ours
        for step in matched.steps
        for ours in step.ours
        if ours in tied
        for name in step.names
        if len(step.names) == 1
    }
    alike = [name for name in matched.skipped if tuple(theirs[name]) in shapes]
    if not alike:
        return ()
    ours = shapes[tuple(theirs[alike[0]])]
    message = f"`skip` covers {shaped(alike[0], theirs)}{and_more(alike)}, which has the shape of the tied `{ours}`"
    help = "name it in `tied` if it equals that tensor; then it is compared instead of dropped"
    return (Diagnostic(code="W510", severity="warning", message=message, notes=tuple(also(alike)), help=help),)


def check_floats(graph: Graph, tensors: Mapping[str, Tensor]) -> None:
    """Raise E524 if a float parameter is loaded from a tensor of another kind, such as quantised integers."""
    floats = [name for name, parameter in expand(graph).items() if parameter.type.dtype == DType.FLOAT]
    wrong = [name for name in floats if name in tensors and not tensors[name].is_floating_point()]
    if wrong:
        dtype = str(tensors[wrong[0]].dtype).removeprefix("torch.")
        message = f"{dtype} weights for `{wrong[0]}`{and_more(wrong)}, expected floats"
        fail("E524", message, None, notes=also(wrong), help="use weights that are not quantised")
