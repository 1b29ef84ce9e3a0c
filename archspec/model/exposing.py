"""Specs with inner values as outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.diagnostics import Collector, Label, fail
from archspec.passes.expose import UnknownPath, expose, inner_paths
from archspec.spec import Spec
from archspec.spec.claims import Claims, claims_of
from archspec.spec.names import check_names
from archspec.spec.rewritten import rewritten
from archspec.spec.values import fail_unknown
from archspec.text.nodes import TextNode
from archspec.text.path import Path, parse_path


def exposed(spec: Spec, paths: Sequence[str]) -> Spec:
    """The spec with inner values as additional outputs: `states.layers.2` as `states_layers_2`.

    Its rules are about the same values, so that what was judged of them holds; nothing is known of the new outputs.

    Raises:
        SpecError: E201 or E218 for a path that names no value, E209 for one whose name is that of another output.
    """
    for path in [paths] if isinstance(paths, str) else paths:
        spec = _with(spec, parse_path(TextNode.of(path, "--expose")))
    return spec


def with_inner(spec: Spec) -> Claims:
    """The claims of a spec in which inner values that rules name are outputs too."""
    return claims_of(exposed(spec, inner_outputs(spec)))


def inner_outputs(spec: Spec) -> tuple[str, ...]:
    """The paths of the inner values that rules name as their `output`, without repeats."""
    known = set(spec.outputs.values())
    return tuple(dict.fromkeys(str(rule.fields.output) for rule in spec.rules if rule.output not in known))


def _with(spec: Spec, path: Path) -> Spec:
    """The spec with the value at a path as an output."""
    name = "_".join(path.parts)
    if name in spec.outputs:
        if spec.outputs[name] is spec.values.get(str(path)):
            return spec
        message = f"`{path}` would become the output `{name}`, but that name is in use"
        fail("E209", message, path.span, secondary=_declared(spec, name))
    try:
        graph, rewriter = expose(spec.graph, str(path), name)
    except UnknownPath:
        places = check_names(spec.tree, Collector())
        fail_unknown(path, spec.values, places, inner_paths(spec.graph))
    changed = rewritten(spec, graph, rewriter.moved)
    value = graph.outputs[-1]
    return replace(changed, outputs={**changed.outputs, name: value}, values={**changed.values, str(path): value})


def _declared(spec: Spec, name: str) -> tuple[Label, ...]:
    place = check_names(spec.tree, Collector()).get(name)
    return () if place is None else (Label(place),)
