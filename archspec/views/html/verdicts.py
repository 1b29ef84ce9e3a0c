"""The verdict on each rule."""

from __future__ import annotations

from archspec.checking import Report
from archspec.rules.verdict import Status, Verdict
from archspec.views.html.markup import Html, code, joined, table, tag

MEANINGS: dict[Status, str] = {
    "proved": "holds at every size that the spec admits, for all weights",
    "wired": "the dependence that the rule requires is there at the sizes given; this is not a proof",
    "violated": "a counterexample is known",
    "unknown": "neither proved nor refuted",
}
"""What each status says."""
_SIGNS: dict[Status, str] = {"proved": "✓", "wired": "✓", "violated": "✗", "unknown": "?"}


def verdicts(report: Report) -> Html:
    """A table with a row for each rule: its text, its verdict, and the explanation; then what the verdicts mean."""
    rows = [(code(str(one.rule)), badge(one), _explained(one)) for one in report.verdicts]
    if not rows:
        return tag("p", "No rule is stated, and no dim leads the inputs.")
    used = [status for status in MEANINGS if any(one.status == status for one in report.verdicts)]
    meanings = [(tag("dt", status), tag("dd", MEANINGS[status])) for status in used]
    shown = table("Rules and their verdicts", ("rule", "verdict", "explanation"), rows)
    return joined(shown, tag("dl", [part for pair in meanings for part in pair], class_="meanings"))


def badge(verdict: Verdict) -> Html:
    """The status of a verdict as a word with a sign."""
    sign = tag("span", _SIGNS[verdict.status], aria_hidden="true")
    return tag("span", sign, " ", verdict.status, class_=f"badge {verdict.status}")


def _explained(verdict: Verdict) -> Html:
    """The explanation of a verdict, and the codes and messages of its diagnostics."""
    found = [tag("p", f"{one.code}: {one.message}") for one in verdict.diagnostics]
    return joined(tag("p", verdict.explanation) if verdict.explanation else None, found)
