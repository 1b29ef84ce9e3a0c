"""The architecture as a picture."""

from __future__ import annotations

from archspec.checking import Report
from archspec.views.diagram.draw import diagram
from archspec.views.html.markup import Html, figure, name


def picture(report: Report) -> Html:
    """The diagram of the architecture, inputs at the bottom and outputs at the top."""
    spec = report.spec
    return figure(
        diagram(spec),
        f"Diagram of {spec.name}, inputs at the bottom, outputs at the top; the tree lists the same parts as text",
        ("The architecture of ", name(spec.name), ", inputs at the bottom, outputs at the top."),
    )
