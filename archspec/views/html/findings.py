"""Diagnostics with their places in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.checking import Report
from archspec.diagnostics import Diagnostic, render
from archspec.views.html.markup import Html, joined, name, scrolling, tag
from archspec.views.html.verdicts import badge, path_key


def findings(diagnostics: Sequence[Diagnostic]) -> Html:
    """A list of diagnostics, each with its severity, code and message, the lines of the file, notes and help."""
    if not diagnostics:
        return tag("p", "No errors and no warnings.")
    return tag("ul", [tag("li", _finding(one)) for one in diagnostics], class_="findings")


def report_findings(report: Report, suffix: str) -> Html:
    """The diagnostics of a report; in place of the path of a leak a link to the rule that it violates."""
    paths = {
        one: (verdict.leak.lines, path_key(number, suffix))
        for number, verdict in enumerate(report.verdicts, 1)
        if verdict.leak is not None
        for one in verdict.diagnostics
    }
    return tag(
        "ul", [tag("li", _without(one, *paths.get(one, ((), "")))) for one in report.diagnostics], class_="findings"
    )


def _without(found: Diagnostic, path: tuple[str, ...], key: str) -> Html:
    """A diagnostic without the path among its notes, and a link to where it stands."""
    notes = tuple(note for note in found.notes if note not in path)
    link = tag("p", "The path is in the ", tag("a", "table of rules", href=f"#{key}"), ".") if path else None
    return joined(_finding(replace(found, notes=notes)), link)


def _finding(found: Diagnostic) -> Html:
    kind = badge(f"{found.severity} {found.code}", "bad" if found.severity == "error" else "care")
    head = tag("p", kind, " ", tag("strong", name(found.message)))
    # The first line of the text says again what the head does.
    _, _, rest = render(found).partition("\n")
    if not rest.strip():
        return head
    place = tag("pre", tag("code", rest.rstrip("\n")))
    return tag("div", head, scrolling(place, f"The place of {found.code} in the file"))
