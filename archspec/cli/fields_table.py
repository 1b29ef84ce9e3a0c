"""`archspec show --fields`: the receptive field of every node, and how it mixes positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.cli.output import console_of, print_json
from archspec.spec import Spec

if TYPE_CHECKING:
    from archspec.views.fields import FieldRow


def show_fields(spec: Spec, as_json: bool) -> None:
    """Print a line for each named node at the top that depends on positions of an input."""
    from archspec.views.fields import field_rows

    rows = field_rows(spec)
    if as_json:
        print_json({"name": spec.name, "nodes": [row_data(row) for row in rows]})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=None)
    for heading in ("node", "gives", "field", "mixing"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(row.name, row.gives, row.field_text, row.mixing_text)
    console_of().print(table, markup=False)


def row_data(row: FieldRow) -> dict[str, object]:
    """A row as JSON-compatible data; FLOPs by kind of mixing are formulas."""
    from archspec.cli.check_command import field_data

    return {
        "name": row.name,
        "gives": row.gives,
        "fields": [field_data(one) for one in row.fields],
        "mixing": {kind: str(flops) for kind, flops in row.mixing.flops.items()},
        "flops": str(row.mixing.total),
    }
