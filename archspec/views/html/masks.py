"""The masks of all attention."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.checking import Report
from archspec.views.chart import Chart, Panel
from archspec.views.html.markup import Content, Html, code, figure, joined, table, tag
from archspec.views.mask_picture import mask_chart
from archspec.views.sites import sites


def masks(report: Report) -> Html:
    """A table with the mask of each attention, and a picture of each at small sizes: which keys a query may attend to.

    Attention of one stack with the same mask is one row and one picture.
    """
    spec = report.spec
    stacks = dict.fromkeys(site.path.partition(".")[0] for site in sites(spec))
    if not stacks:
        return tag("p", "No node is an attention.")
    charts = [mask_chart(spec, stack) for stack in stacks]
    rows = [_row(panel) for chart in charts for panel in chart.panels]
    shown = table("The mask of each attention", ("attention", "mask", "queries", "keys", "notes"), rows)
    return joined(shown, [_figure(chart) for chart in charts])


def _row(panel: Panel) -> Sequence[Content]:
    """The cells of a panel: its notes begin with the mask in the language."""
    mask, *notes = panel.notes
    queries, keys = (side.partition(": ")[2] for side in (panel.rows, panel.columns))
    return code(panel.title), code(mask), code(queries), code(keys), "; ".join(notes)


def _figure(chart: Chart) -> Html:
    return figure(chart.svg(), f"{chart.title}, {chart.about}" if chart.about else chart.title)
