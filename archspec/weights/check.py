"""Whether a spec's layouts can be read, and name every tensor of the architecture once: no checkpoint is needed."""

from __future__ import annotations

from archspec.diagnostics import Collector
from archspec.spec import Spec
from archspec.weights.bind import bind
from archspec.weights.load import layouts
from archspec.weights.parameters import parameter_shapes


def check_layouts(spec: Spec) -> None:
    """Read every layout of a spec and find what its lines stand for.

    Raises SpecError with everything that is wrong in them: E512 for a line that names no parameter, E515 for
    parameters that no line names, E516 for one that two lines name.
    """
    found = Collector()
    ours = parameter_shapes(spec.graph)
    with found.catching():
        for layout in layouts(spec):
            bind(layout, ours, found)
    found.raise_if_errors()
