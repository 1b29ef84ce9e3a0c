"""Read the layouts in the `weights` section of a spec."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.diagnostics import Collector
from archspec.layouts.layout import Layout, read_layout
from archspec.schema.model import is_none
from archspec.spec import Spec
from archspec.text.nodes import Node


def layouts(spec: Spec) -> tuple[Layout, ...]:
    """Read all layouts of a spec, in the order of its `weights` section.

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
    """Return the layouts of a spec as nodes by name; `none` removes a layout that a parent spec has."""
    return ((name, node) for name, node in spec.weights.items() if not is_none(node))
