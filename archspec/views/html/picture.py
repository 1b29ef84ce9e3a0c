"""The architecture as a picture, with the path of each leak drawn into it."""

from __future__ import annotations

from archspec.checking import Report
from archspec.rules.leaked import LeakPath
from archspec.rules.verdict import Verdict
from archspec.views.diagram.draw import diagram
from archspec.views.html.markup import Html, code, figure, name, tag

_MOST = 4
"""The most leaks that are drawn; a mistake in one node often violates several rules in the same way."""


def picture(report: Report) -> Html:
    """The diagram of the architecture, inputs at the bottom and outputs at the top; one for each leak, if there are."""
    leaks = [(one, one.leak) for one in report.verdicts if one.leak is not None]
    if not leaks:
        return _plain(report)
    return tag("div", [_leaking(report, one, leak) for one, leak in leaks[:_MOST]], _rest(len(leaks) - _MOST))


def _plain(report: Report) -> Html:
    spec = report.spec
    caption = ("The architecture of ", name(spec.name), ". Inputs are at the bottom, outputs at the top.")
    return figure(diagram(spec), f"Diagram of {spec.name}. The table of parts says the same in words.", caption)


def _leaking(report: Report, verdict: Verdict, leak: LeakPath) -> Html:
    label = f"Diagram of {report.spec.name} with the path by which {leak.output} depends on {leak.source}"
    start, *steps = leak.lines
    path = tag("ol", [tag("li", name(step.strip())) for step in steps])
    caption = (code(str(verdict.rule)), " is violated; the thick line is the ", name(start), path)
    return figure(diagram(report.spec, leak), label, caption)


def _rest(count: int) -> Html | None:
    """What is left out."""
    return tag("p", f"{count} more violated rules are not drawn.") if count > 0 else None
