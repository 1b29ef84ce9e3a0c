"""The inputs and outputs of a model, and the sizes that it admits."""

from __future__ import annotations

from archspec.checking import Report
from archspec.spec import InputSpec
from archspec.views.html.markup import Content, Html, code, joined, name, table, words


def interface(report: Report) -> Html:
    """A table of inputs and outputs with their types and promises, and one of the dims with their ranges."""
    spec = report.spec
    inputs = [
        (name(value.name), "input", code(str(value.type)), _promises(spec.inputs.get(value.name)))
        for value in spec.graph.inputs
    ]
    outputs = [(name(key), "output", code(str(value.type)), "") for key, value in spec.outputs.items()]
    ports = table("Inputs and outputs", ("name", "kind", "type", "promises"), [*inputs, *outputs], whole=(2,))
    if not spec.dims:
        return ports
    sizes = [
        (
            name(key),
            f"{one.min:,}",
            f"{one.typical:,}",
            f"{one.max:,}",
            f"of {one.multiple:,}" if one.multiple > 1 else "",
        )
        for key, one in spec.dims.items()
    ]
    heads = ("size", "least", "typical", "most", "multiples")
    kept = len(heads) if any(row[-1] for row in sizes) else len(heads) - 1
    rows = [row[:kept] for row in sizes]
    return joined(ports, table("Sizes known at run time", heads[:kept], rows, numbers=range(1, kept)))


def _promises(found: InputSpec | None) -> Content:
    if found is None:
        return ""
    told = [
        f"default {found.default}" if found.default is not None else "",
        f"padding at the {found.padding}" if found.padding != "any" else "",
        "never decreases along a row" if found.sorted else "",
    ]
    return words(told)
