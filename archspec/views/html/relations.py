"""Which positions of the inputs the outputs may depend on."""

from __future__ import annotations

from archspec.checking import Report
from archspec.checking.fields import field_text, output_fields
from archspec.diagnostics import SpecError
from archspec.spec import Rule
from archspec.views.html.markup import Html, code, figure, joined, name, table, tag
from archspec.views.relation_picture import relation_chart


def relations(report: Report) -> Html:
    """A picture of the proved dependence for each pair of output and input that a rule is about; receptive fields."""
    rules = [one.rule for one in report.verdicts if isinstance(one.rule, Rule)]
    pairs = dict.fromkeys((str(rule.fields.input), str(rule.fields.output)) for rule in rules)
    drawn = [_drawn(report, source, output) for source, output in pairs]
    found = joined(drawn, _fields(report))
    return found or tag("p", "No rule names an output and an input.")


def _drawn(report: Report, source: str, output: str) -> Html:
    try:
        chart = relation_chart(report.spec, source, output)
    except SpecError as error:
        # Too many positions to draw, which is no fault of the spec.
        told = error.diagnostics[0].message
        return tag("p", "The dependence of ", name(output), " on ", name(source), f" is not drawn: {told}.")
    return figure(chart.svg(), f"{chart.title}; {chart.about}")


def _fields(report: Report) -> Html | None:
    """A table of the receptive fields of outputs, where they say something."""
    fields = output_fields(report.spec)
    rows = [(code(one.value), code(one.source), field_text(one)) for one in fields]
    return table("Receptive fields", ("output", "input", "field of one position"), rows) if rows else None
