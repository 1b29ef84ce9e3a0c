"""The architecture as a picture, with the path of each leak drawn into it."""

from __future__ import annotations

from archspec.checking import Report
from archspec.diagnostics import SpecError
from archspec.rules.leaked import LeakPath
from archspec.rules.verdict import Verdict
from archspec.views.diagram.draw import diagram
from archspec.views.html.markup import Html, code, figure, tag
from archspec.views.html.verdicts import path_key

_MOST = 4
"""The most leaks that are drawn; a mistake in one node often violates several rules in the same way."""


def picture(report: Report, suffix: str | None = None) -> Html:
    """The diagram of the architecture, inputs at the bottom and outputs at the top; one for each leak, if there are.

    `suffix` tells the anchors of the spec from those of another; without one nothing leads to the path of a leak.
    """
    try:
        return _drawn(report, suffix)
    except SpecError as error:
        # Too many parts to draw, which is no fault of the spec.
        return tag("p", f"Not drawn: {error.diagnostics[0].message}; the table of parts lists them.")


def _drawn(report: Report, suffix: str | None) -> Html:
    every = enumerate(report.verdicts, 1)
    leaks = [
        (one, one.leak, None if suffix is None else f"#{path_key(number, suffix)}")
        for number, one in every
        if one.leak is not None
    ]
    if not leaks:
        label = f"Diagram of {report.spec.name}; the table of parts says the same in words"
        return figure(diagram(report.spec), label, "Inputs are at the bottom, outputs at the top.")
    return tag("div", [_leaking(report, *one) for one in leaks[:_MOST]], _rest(len(leaks) - _MOST))


def _leaking(report: Report, verdict: Verdict, leak: LeakPath, link: str | None) -> Html:
    label = f"Diagram of {report.spec.name} with the path by which {leak.output} depends on {leak.source}"
    path = "path" if link is None else tag("a", "path", href=link)
    caption = (code(str(verdict.rule)), " is violated. The thick line is the ", path, " that the table of rules tells.")
    return figure(diagram(report.spec, leak), label, caption)


def _rest(count: int) -> Html | None:
    """What is left out."""
    return tag("p", f"{count} more violated rules are not drawn.") if count > 0 else None
