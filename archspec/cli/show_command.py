"""`archspec show`: the architecture as a tree or a picture, its masks, and the dependence of outputs on inputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archspec.analyses.cost import cost
from archspec.cli.fields_table import show_fields
from archspec.cli.options import spec_options
from archspec.cli.output import at_sizes, console_of, grouped, print_json, scaled
from archspec.cli.writing import require_suffix, write_whole
from archspec.ir.printer import print_graph
from archspec.spec import Spec, load
from archspec.views.tree import TreeRow, tree

if TYPE_CHECKING:
    from archspec.views.chart import Chart


@click.command("show")
@spec_options
@click.option("--ir", is_flag=True, help="Print the graph IR instead.")
@click.option("--mask", metavar="NODE", help="Draw the masks of a node, of a part of it, or of a kind of layers.")
@click.option(
    "--relation",
    nargs=2,
    metavar="INPUT OUTPUT",
    help="Draw which positions of INPUT each position of OUTPUT may depend on.",
)
@click.option("--fields", is_flag=True, help="Print the receptive field of every node, and how it mixes positions.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write a picture instead of text.")
@click.option("--depth", type=click.IntRange(min=1), default=4, show_default=True, help="Number of levels to expand.")
def command(
    spec: str,
    overrides: tuple[str, ...],
    reduced: bool,
    as_json: bool,
    ir: bool,
    mask: str | None,
    relation: tuple[str, str] | None,
    fields: bool,
    svg: Path | None,
    depth: int,
) -> None:
    """Show SPEC as a tree with shapes, parameters and FLOPs, or with `--svg` as a diagram of the architecture.

    `--mask states.layers.3.cross_attention` draws which keys each query may attend to. `--relation ids logits` draws
    the proved dependence of an output on an input, and the exact wiring at small sizes. Both are printed in the
    terminal, or written to a file with `--svg`. `--fields` prints the receptive field of every node.
    """
    if ir + fields + (mask is not None) + (relation is not None) > 1:
        raise click.UsageError("give one of `--ir`, `--fields`, `--mask` and `--relation`")
    if (ir or fields) and svg is not None:
        raise click.UsageError(f"`--{'ir' if ir else 'fields'}` prints text: `--svg` does not apply")
    require_suffix(svg, ".svg", "--svg")
    # Not `accepted`: a spec whose rules do not hold can be looked at all the same.
    loaded = load(spec, set=overrides, reduced=reduced)
    if mask is not None or relation is not None:
        _chart(loaded, mask, relation, svg, as_json)
    elif fields:
        show_fields(loaded, as_json)
    elif svg is not None:
        _picture(loaded, svg, as_json)
    elif ir and as_json:
        print_json({"name": loaded.name, "ir": print_graph(loaded.graph)})
    elif ir:
        click.echo(print_graph(loaded.graph))
    elif as_json:
        sizes = {name: symbol.typical for name, symbol in loaded.dims.items()}
        rows = [data_of(row, depth) for row in tree(loaded.graph)]
        print_json({"name": loaded.name, "sizes": sizes, "nodes": rows})
    else:
        show(loaded, depth)


def _chart(spec: Spec, mask: str | None, relation: tuple[str, str] | None, svg: Path | None, as_json: bool) -> None:
    """Print or write the chart of a mask or of a relation."""
    if mask is not None:
        from archspec.views.mask_picture import mask_chart

        chart = mask_chart(spec, mask)
    else:
        from archspec.model.exposing import exposed
        from archspec.views.relation_picture import relation_chart

        # The caller gives either a mask or a relation.
        assert relation is not None
        # A relation can be drawn only between values at the top of the graph, so that inner ones are exposed.
        chart = relation_chart(exposed(spec, [name for name in relation if "." in name]), *relation)
    if svg is not None:
        write_whole(svg, chart.svg())
    if as_json:
        print_json({**chart_data(chart), "written": svg})
    else:
        click.echo(chart.text() if svg is None else f"wrote {svg}")


def chart_data(chart: Chart) -> dict[str, object]:
    """A chart as JSON-compatible data; each cell is the index of its level."""
    panels = [
        {"title": panel.title, "rows": panel.rows, "columns": panel.columns, "notes": panel.notes, "cells": panel.cells}
        for panel in chart.panels
    ]
    levels = [level.meaning for level in chart.levels]
    return {"title": chart.title, "about": chart.about, "levels": levels, "panels": panels, "notes": chart.notes}


def _picture(spec: Spec, svg: Path, as_json: bool) -> None:
    """Write the diagram of the architecture."""
    from archspec.views.diagram.draw import diagram

    write_whole(svg, diagram(spec))
    if as_json:
        print_json({"name": spec.name, "written": svg})
    else:
        click.echo(f"wrote {svg}")


def data_of(row: TreeRow, depth: int) -> dict[str, object]:
    """A row of the tree as JSON-compatible data, with inner rows down to `depth` levels."""
    return {
        "name": row.name,
        "kind": row.kind,
        "note": row.note or None,
        "gives": row.gives,
        "parameters": row.parameters,
        "flops": str(row.flops),
        "flops_typical": row.flops.typical(),
        "inside": [data_of(inner, depth - 1) for inner in row.inside] if depth > 1 else [],
    }


def show(spec: Spec, depth: int) -> None:
    """Print the tree as a table, down to `depth` levels, with FLOPs at the typical sizes."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=None)
    for heading, side in (
        ("node", "left"),
        ("what", "left"),
        ("gives", "left"),
        ("parameters", "right"),
        ("FLOP", "right"),
    ):
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    for value in spec.graph.inputs:
        table.add_row(value.name, "input", str(value.type), "", "")
    for indent, row in lines(tree(spec.graph), depth, 0):
        flops = scaled(row.flops.typical(), "") if row.flops != 0 else ""
        parameters = grouped(row.parameters) if row.parameters else ""
        what = f"{row.kind} ({row.note})" if row.note else row.kind
        table.add_row("  " * indent + row.name, what, row.gives, parameters, flops)
    console = console_of()
    console.print(table, markup=False)
    total = cost(spec.graph).flops
    if total != 0:
        console.print(f"FLOP {at_sizes(total, spec)}", markup=False, highlight=False)


def lines(rows: Iterable[TreeRow], depth: int, indent: int) -> Iterable[tuple[int, TreeRow]]:
    """Rows in order with their indentation, expanded down to `depth` levels."""
    for row in rows:
        yield indent, row
        if depth > 1:
            yield from lines(row.inside, depth - 1, indent + 1)
