"""What an architecture costs: parameters, FLOPs and memory at given sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.analyses.memory import in_words
from archspec.checking import Report
from archspec.views.html.markup import Content, Html, code, name, table
from archspec.views.html.numbers import scaled


def costs(report: Report, sizes: Mapping[str, int] | None = None) -> Html:
    """A table of counts.

    Args:
        report: the report.
        sizes: the size of each dim; typical where it says nothing.
    """
    cost, dims = report.cost, report.spec.dims
    known = {key: symbol.typical for key, symbol in dims.items()} | dict(sizes or {})
    at = ", ".join(f"{key} {size:,}" for key, size in known.items())
    activations = max(one.value(known) for one in cost.peak_activations)
    rows: list[Sequence[Content]] = [
        ("parameters", f"{cost.parameters:,}", ""),
        ("trainable", f"{cost.trainable:,}", ""),
        ("weights in float32", in_words(cost.weight_bytes), ""),
        ("one forward pass", scaled(cost.flops.value(known), "FLOP"), code(str(cost.flops))),
        ("activations, at most", in_words(activations), code(" or ".join(map(str, cost.peak_activations)))),
    ]
    caption = ("Counts", (" at ", name(at)) if at else "")
    return table([*caption[:1], *caption[1]], ("what", "count", "formula"), rows, numbers=(1,))
