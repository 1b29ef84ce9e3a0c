"""`archspec show`: the architecture as a tree."""

from __future__ import annotations

from collections.abc import Iterable

import click

from archspec.cli.options import spec_options
from archspec.cli.output import grouped, print_json, scaled
from archspec.ir.printer import print_graph
from archspec.spec import Spec, load
from archspec.views.tree import Row, tree

_WIDE = 1000


@click.command("show")
@spec_options
@click.option("--ir", is_flag=True, help="Print the graph IR instead.")
@click.option("--depth", type=click.IntRange(min=1), default=4, show_default=True, help="How many levels to open.")
def command(spec: str, overrides: tuple[str, ...], reduced: bool, as_json: bool, ir: bool, depth: int) -> None:
    """Show SPEC as a tree with shapes, parameters and FLOPs."""
    loaded = load(spec, set=overrides, reduced=reduced)
    if ir and as_json:
        print_json({"name": loaded.name, "ir": print_graph(loaded.graph)})
    elif ir:
        click.echo(print_graph(loaded.graph))
    elif as_json:
        print_json({"name": loaded.name, "nodes": [data_of(row, depth) for row in tree(loaded.graph)]})
    else:
        show(loaded, depth)


def data_of(row: Row, depth: int) -> dict[str, object]:
    """A row for programs."""
    return {
        "name": row.name,
        "kind": row.kind,
        "gives": row.gives,
        "parameters": row.parameters,
        "flops": str(row.flops),
        "flops_typical": row.flops.typical(),
        "inside": [data_of(inner, depth - 1) for inner in row.inside] if depth > 1 else [],
    }


def show(spec: Spec, depth: int) -> None:
    """Print the tree as a table."""
    from rich.console import Console
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
        table.add_row(
            "  " * indent + row.name, row.kind, row.gives, grouped(row.parameters) if row.parameters else "", flops
        )
    console = Console()
    if not console.is_terminal:
        # A pipe has no width to fit into: nothing is cut.
        console = Console(width=_WIDE)
    console.print(table, markup=False)


def lines(rows: Iterable[Row], depth: int, indent: int) -> Iterable[tuple[int, Row]]:
    """Rows in order with their indentation, opened down to `depth` levels."""
    for row in rows:
        yield indent, row
        if depth > 1:
            yield from lines(row.inside, depth - 1, indent + 1)
