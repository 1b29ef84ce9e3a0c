"""The verdict on each rule."""

from __future__ import annotations

from typing import Literal

from archspec.checking import Report
from archspec.rules.leaked import LeakPath
from archspec.rules.verdict import Status, Verdict
from archspec.views.html.markup import Html, code, joined, name, table, tag

MEANINGS: dict[Status, str] = {
    "proved": "holds at every size that the spec admits, for all weights",
    "wired": "the dependence that the rule requires is there at the sizes given; this is not a proof",
    "violated": "a counterexample is known",
    "unknown": "neither proved nor refuted",
}
"""What each status says."""
Kind = Literal["good", "bad", "care", "plain"]
_KINDS: dict[Status, Kind] = {"proved": "good", "wired": "good", "violated": "bad", "unknown": "care"}
_SIGNS: dict[Kind, str] = {"good": "✓", "bad": "✗", "care": "!", "plain": "–"}


def verdicts(report: Report, suffix: str = "") -> Html:
    """A table with a row for each rule: its text, its verdict, and the explanation; then what the verdicts mean.

    `suffix` tells its anchors from those of another spec.
    """
    rows = [
        (code(str(one.rule)), status(one.status), _explained(one, path_key(number, suffix)))
        for number, one in enumerate(report.verdicts, 1)
    ]
    if not rows:
        return tag("p", "No rule is stated, and no dim leads the inputs.")
    used = {one.status: MEANINGS[one.status] for one in report.verdicts}
    return joined(
        table("Rules and their verdicts", ("rule", "verdict", "explanation"), rows, prose=(2,)), meanings(used)
    )


def status(word: Status) -> Html:
    """The status of a verdict as a badge."""
    return badge(word, _KINDS[word])


def badge(word: str, kind: Kind) -> Html:
    """A word with a sign and a colour that say whether it is good."""
    sign = tag("span", _SIGNS[kind], aria_hidden="true")
    return tag("span", sign, " ", word, class_=f"badge {kind}")


def meanings(told: dict[Status, str] | dict[str, str]) -> Html:
    """Words with their meanings."""
    return tag("dl", [part for word, said in told.items() for part in (tag("dt", word), tag("dd", said))])


def _explained(verdict: Verdict, key: str) -> Html:
    """The explanation of a verdict, the messages of its diagnostics, and the path of its leak under an anchor."""
    found = [tag("p", f"{one.code}: ", name(one.message)) for one in verdict.diagnostics]
    path = None if verdict.leak is None else _steps(verdict.leak, key)
    return joined(tag("p", verdict.explanation) if verdict.explanation else None, found, path)


def path_key(number: int, suffix: str) -> str:
    """The anchor of the path of the leak that violates a rule, by the number of its verdict from 1."""
    return f"path{suffix}-{number}"


def _steps(leak: LeakPath, key: str) -> Html:
    """The path of a leak as a numbered list under what it starts from: the one place where a report has it."""
    start, *steps = leak.lines
    return tag("div", tag("p", name(start)), tag("ol", [tag("li", name(step.strip())) for step in steps]), id=key)
