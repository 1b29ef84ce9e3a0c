"""Emission of a spec as the text of a PyTorch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from archspec.algebra.dim import Symbol
from archspec.diagnostics import SpecError
from archspec.ir.graph import Graph
from archspec.lower.body_site import BodyInterface, BodySite
from archspec.lower.cached import METHODS, Cached
from archspec.lower.defaults import Number
from archspec.lower.docs import Header
from archspec.lower.errors import LoweringError
from archspec.lower.module_file import module_file
from archspec.lower.region import Lowering, lowered
from archspec.masks.leaf import Padding
from archspec.model.checked import Checked
from archspec.model.exposing import exposed
from archspec.passes.base import run_passes
from archspec.passes.hoist_masks import HoistMasks
from archspec.passes.incremental.incremental import incremental
from archspec.passes.last_position import LastPosition
from archspec.spec.spec import Spec


def emit(checked: Checked, *, expose: Sequence[str] = ()) -> str:
    """The PyTorch file of a spec: formatted, importing only torch and the standard library.

    The last class is the model. It takes the spec's inputs in order; those after the first with a default are
    keyword-only. The same spec gives the same text.

    Args:
        checked: a spec that was accepted.
        expose: paths of inner values that become outputs.

    Raises:
        SpecError: E501 or E502 if a module cannot express the graph, E201 or E218 for a path that names no value.
    """
    spec = exposed(checked.spec, expose)
    defaults = {name: given.default for name, given in spec.inputs.items() if given.default is not None}
    return emit_graph(with_masks(spec), spec.name, checked, defaults, cached(spec, defaults))


def cached(spec: Spec, defaults: Mapping[str, Number]) -> Cached | None:
    """What the cached step of a decoder is made from; None where the spec does not decode, or not in steps."""
    if spec.decode is None:
        return None
    try:
        found = incremental(spec.graph, spec.decode.input, [spec.decode.output])
    except SpecError:
        # Such a decoder has `forward` alone; the commands that need steps tell why it has none.
        return None
    passes = (HoistMasks(promises=_promises(spec)),)
    step = run_passes(found.step, (LastPosition(positions=found.new), *passes)).graph
    once = None if found.once is None else run_passes(found.once, passes).graph
    return Cached(found=found, step=step, once=once, source=spec.decode.input, defaults=defaults)


def with_masks(spec: Spec) -> Graph:
    """The graph of a spec as it is emitted, with its masks as values (see `HoistMasks`)."""
    return run_passes(spec.graph, (HoistMasks(promises=_promises(spec)),)).graph


def _promises(spec: Spec) -> dict[str, Padding]:
    return {name: given.padding for name, given in spec.inputs.items() if given.padding != "any"}


def require_module(spec: Spec) -> None:
    """Check that a spec can be lowered, without writing the file. Raises SpecError E501 or E502 if it cannot."""
    graph = with_masks(spec)
    try:
        Lowering(methods=METHODS if spec.decode else frozenset()).body(
            graph, BodySite(), BodyInterface(forced=range(len(graph.inputs)))
        )
    except LoweringError as error:
        error.refuse()


def sizes_not_given(graph: Graph) -> list[Symbol]:
    """The run-time sizes that the code of a graph needs and that the shapes of its inputs do not tell.

    Raises:
        SpecError: E501 or E502 if a module cannot express the graph.
    """
    try:
        _, code = lowered(graph)
    except LoweringError as error:
        error.refuse()
    return [need.what for need in code.needs if isinstance(need.what, Symbol)]


def emit_graph(
    graph: Graph,
    name: str,
    checked: Checked,
    defaults: Mapping[str, Number] | None = None,
    cached: Cached | None = None,
) -> str:
    """The PyTorch file of a graph that was made from a spec, such as a part of it.

    Args:
        graph: the graph to emit.
        name: the name from which the name of the model's class is made.
        checked: the spec, whose description and digest are written into the file.
        defaults: default values by input name.
        cached: the cached step, for a decoder.

    Raises:
        SpecError: E501 or E502 if a module cannot express the graph.
    """
    try:
        return module_file(graph, header_of(checked, name), defaults, cached)
    except LoweringError as error:
        error.refuse()


def header_of(checked: Checked, name: str) -> Header:
    """The name and the origin of a file that is made from a spec."""
    spec = checked.spec
    return Header(name=name, about=spec.about or "", version=_version(), digest=spec.digest)


def _version() -> str:
    try:
        return version("archspec-compiler")
    except PackageNotFoundError:
        return "(not installed)"
