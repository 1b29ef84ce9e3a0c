"""Which positions of the inputs the outputs may depend on."""

from __future__ import annotations

from archspec.checking import Report
from archspec.diagnostics import SpecError
from archspec.spec import Rule
from archspec.views.html.markup import Html, figure, name, tag
from archspec.views.relation_picture import relation_chart


def relations(report: Report) -> Html:
    """A picture of the proved dependence for each pair of output and input that a rule is about."""
    rules = [one.rule for one in report.verdicts if isinstance(one.rule, Rule)]
    pairs = dict.fromkeys((str(rule.fields.input), str(rule.fields.output)) for rule in rules)
    if not pairs:
        return tag("p", "No rule names an output and an input.")
    return tag("div", [_drawn(report, source, output) for source, output in pairs])


def _drawn(report: Report, source: str, output: str) -> Html:
    try:
        chart = relation_chart(report.spec, source, output)
    except SpecError as error:
        return tag("p", name(f"{output} on {source}"), f": not drawn; {error.diagnostics[0].message}.")
    return figure(chart.svg(), chart.title, chart.about)
