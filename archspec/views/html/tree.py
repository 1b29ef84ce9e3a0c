"""The architecture as a tree of parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.analyses.figures import scaled
from archspec.checking import Report
from archspec.views.html.markup import Content, Html, code, folded, name, table, tag
from archspec.views.html.numbers import at_sizes
from archspec.views.tree import TreeRow
from archspec.views.tree import tree as rows_of

_MOST = 200
"""The rows of a table that is not folded."""


def tree(report: Report, depth: int = 100) -> Html:
    """A table with a row for each part: its name, kind, result, parameters, and FLOPs at the typical sizes.

    Layers that repeat are one row; parts are expanded down to `depth` levels.
    """
    inputs: list[Sequence[Content]] = [
        (name(value.name), "input", code(str(value.type)), "", "") for value in report.spec.graph.inputs
    ]
    rows = [*inputs, *(_row(level, row) for level, row in _lines(rows_of(report.spec.graph), depth, 0))]
    heads = ("part", "kind", "gives", "parameters", "FLOP")
    at = at_sizes({key: symbol.typical for key, symbol in report.spec.dims.items()})
    caption = "Parts in the order in which they run" + (f"; FLOP at {at}" if at else "")
    shown = table(caption, heads, rows, numbers=(3, 4), whole=(2,))
    return shown if len(rows) <= _MOST else folded(f"{len(rows):,} parts", shown)


def _row(level: int, row: TreeRow) -> Sequence[Content]:
    """The cells of a part; its depth is a number for programs that read the page aloud, and an indentation."""
    deep = tag("span", f"level {level + 1}: ", class_="hidden") if level else None
    named = tag("span", deep, name(row.name), class_="indent", style=f"--level: {level}")
    what = f"{row.kind} ({row.note})" if row.note else row.kind
    parameters = f"{row.parameters:,}" if row.parameters else ""
    return named, name(what), code(row.gives), parameters, scaled(row.flops.typical(), "") if row.flops != 0 else ""


def _lines(rows: Sequence[TreeRow], depth: int, level: int) -> Iterator[tuple[int, TreeRow]]:
    for row in rows:
        yield level, row
        if level + 1 < depth:
            yield from _lines(row.inside, depth, level + 1)
