"""Diagnostics with their places in the file."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Diagnostic, render
from archspec.views.html.markup import Html, name, scrolling, tag
from archspec.views.html.verdicts import badge


def findings(diagnostics: Sequence[Diagnostic]) -> Html:
    """A list of diagnostics, each with its severity, code and message, the lines of the file, notes and help."""
    if not diagnostics:
        return tag("p", "No errors and no warnings.")
    return tag("ul", [tag("li", _finding(one)) for one in diagnostics], class_="findings")


def _finding(found: Diagnostic) -> Html:
    kind = badge(f"{found.severity} {found.code}", "bad" if found.severity == "error" else "care")
    head = tag("p", kind, " ", tag("strong", name(found.message)))
    # The first line of the text says again what the head does.
    _, _, rest = render(found).partition("\n")
    if not rest.strip():
        return head
    place = tag("pre", tag("code", rest.rstrip("\n")))
    return tag("div", head, scrolling(place, f"The place of {found.code} in the file"))
