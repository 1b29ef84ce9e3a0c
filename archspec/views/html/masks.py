"""The masks of all attention."""

from __future__ import annotations

from archspec.checking import Report
from archspec.views.html.markup import Html, figure, tag
from archspec.views.mask_picture import mask_chart
from archspec.views.sites import sites


def masks(report: Report) -> Html:
    """A picture of the masks of each stack of layers at small sizes: which keys each query may attend to."""
    spec = report.spec
    stacks = dict.fromkeys(site.path.partition(".")[0] for site in sites(spec))
    if not stacks:
        return tag("p", "No node is an attention.")
    charts = [mask_chart(spec, stack) for stack in stacks]
    return tag("div", [figure(chart.svg(), chart.title, chart.about) for chart in charts])
