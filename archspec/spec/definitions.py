"""Evaluate what the graph depends on: constants, dims and inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Collector, Label, Span, did_you_mean
from archspec.record import record
from archspec.spec.constants import evaluate_constants
from archspec.spec.dims import evaluate_dims
from archspec.spec.document import FileModel, ReducedFields
from archspec.spec.inputs import InputSpec, input_spec
from archspec.spec.numbers import Names, Numbers
from archspec.spec.places import placed
from archspec.text.nodes import MapNode


@record(eq=False)
class Definitions:
    """The meaning of names before the graph is built; `failed` are the names whose own error has been reported."""

    places: Mapping[str, Span]
    constants: Mapping[str, Scalar]
    dims: Mapping[str, Symbol]
    numbers: Numbers
    inputs: Mapping[str, InputSpec]
    failed: set[str] = field(default_factory=set)


def define(document: FileModel, tree: MapNode, places: Mapping[str, Span], errors: Collector) -> Definitions:
    """Evaluate constants, dims and inputs; every independent error is collected."""
    constants = evaluate_constants(document.constants, places, errors)
    failed = set(document.constants) - set(constants)
    dims = evaluate_dims(document.dims, Names(constants, failed), errors)
    failed |= set(document.dims) - set(dims)
    sizes = {name: Scalar.of(Dim.of(symbol)) for name, symbol in dims.items()}
    numbers = Numbers(names=Names({**constants, **sizes}, failed), places=places)
    inputs: dict[str, InputSpec] = {}
    for name, fields in document.inputs.items():
        with errors.catching(), placed(numbers):
            inputs[name] = input_spec(name, fields, numbers, places[name])
    failed |= set(document.inputs) - set(inputs)
    if document.reduced is not None:
        _check_reduced(document, document.reduced, tree, errors)
    # An input that failed may be the one with the dim, so the check would report a consequence.
    if not failed and not errors.has_errors:
        _check_carried(dims, inputs, places, errors)
    return Definitions(places=places, constants=constants, dims=dims, numbers=numbers, inputs=inputs, failed=failed)


def _check_reduced(document: FileModel, reduced: ReducedFields, tree: MapNode, errors: Collector) -> None:
    """Collect E201 for each constant or dim under `reduced` that the file does not have."""
    section = tree.get("reduced")
    assert isinstance(section, MapNode)
    for what, given, known in (
        ("constants", reduced.constants, document.constants),
        ("dims", reduced.dims, document.dims),
    ):
        nodes = section.get(what)
        for name in given:
            if name not in known and isinstance(nodes, MapNode):
                key = nodes.key(name)
                help = did_you_mean(name, known, kind=what)
                span = None if key is None else key.span
                errors.error("E201", f"the file has no {what[:-1]} `{name}`", span, help=help)


def _check_carried(
    dims: Mapping[str, Symbol], inputs: Mapping[str, InputSpec], places: Mapping[str, Span], errors: Collector
) -> None:
    """Collect E228 for each dim that no input has as an axis: at run time, dims are read from the inputs."""
    carried = {symbol for one in inputs.values() for size in one.type.shape for symbol in size.symbols()}
    for name, symbol in dims.items():
        if symbol not in carried:
            labels = [Label(one.span, f"`{one.name}` is {one.type}") for one in inputs.values()]
            help = "give an input an axis of this dim, or remove it"
            errors.error("E228", f"no input has an axis of dim `{name}`", places[name], secondary=labels[:4], help=help)
