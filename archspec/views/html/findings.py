"""Diagnostics with their places in the file."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Diagnostic, render
from archspec.views.html.markup import Html, name, scrolling, tag

_SIGNS = {"error": "✗", "warning": "!"}


def findings(diagnostics: Sequence[Diagnostic]) -> Html:
    """A list of diagnostics, each with its severity, code and message, the lines of the file, notes and help."""
    if not diagnostics:
        return tag("p", "No errors and no warnings.")
    return tag("ul", [tag("li", _finding(one)) for one in diagnostics], class_="findings")


def _finding(found: Diagnostic) -> Html:
    sign = tag("span", _SIGNS[found.severity], aria_hidden="true")
    kind = tag("span", sign, f" {found.severity} {found.code}", class_=f"badge {found.severity}")
    head = tag("p", kind, " ", tag("strong", name(found.message)))
    # The first line of the text says again what the head does.
    _, _, rest = render(found).partition("\n")
    if not rest.strip():
        return tag("div", head)
    return tag("div", head, scrolling(tag("pre", tag("code", rest.rstrip("\n"))), f"place of {found.code}"))
