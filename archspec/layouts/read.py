"""The layouts of a spec, read from its `weights` section."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.diagnostics import Collector
from archspec.layouts.layout import Layout, read_layout
from archspec.schema.model import is_none
from archspec.spec import Spec
from archspec.text.nodes import Node


def layouts(spec: Spec) -> tuple[Layout, ...]:
    """Read the layouts that a spec's `weights` section gives, in its order.

    Raises SpecError with every error in them.
    """
    found = Collector()
    result = []
    for name, node in layout_nodes(spec):
        with found.catching():
            result.append(read_layout(name, node, spec.constants))
    found.raise_if_errors()
    return tuple(result)


def layout_nodes(spec: Spec) -> Iterator[tuple[str, Node]]:
    """The layouts of a spec by name, as nodes; one that is `none` takes out that of a parent."""
    return ((name, node) for name, node in spec.weights.items() if not is_none(node))
