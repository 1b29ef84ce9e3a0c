"""`archspec compare`: specs side by side."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from archspec.cli.completion import complete_specs
from archspec.cli.options import JSON, UNPROVED, by_name, seed_option
from archspec.cli.output import print_json
from archspec.cli.verdicts import note_unproved
from archspec.cli.writing import require_suffix, write_whole

if TYPE_CHECKING:
    from archspec.views.comparison.compare import Comparison
    from archspec.views.comparison.table import Section

WIDTH = 100
"""The most characters of a line."""
_QUESTION = 17


@click.command("compare")
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=complete_specs)
@click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override a constant or a path in every spec."
)
@click.option("--reduced", is_flag=True, help="Use the small copies that the specs declare for tests.")
@UNPROVED
@click.option("--input", "inputs", multiple=True, metavar="NAME", help="The input to compare, where there are several.")
@click.option("--output", "outputs", multiple=True, metavar="NAME", help="The output, where there are several.")
@click.option(
    "--at", "sizes", multiple=True, metavar="DIM=SIZE", help="The size of a dim (default: batch 1, others typical)."
)
@click.option(
    "--weights", multiple=True, metavar="NAME=FILE", help="Measure a spec with a checkpoint (default: fresh weights)."
)
@seed_option("Seed of fresh weights and of the inputs that are measured on.")
@click.option("--proved", is_flag=True, help="Leave out what is measured; torch is not loaded.")
@click.option(
    "--svg",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw effective fields and deviations into a file, besides the table.",
)
@JSON
def command(
    specs: tuple[str, ...],
    overrides: tuple[str, ...],
    reduced: bool,
    unproved: bool,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    sizes: tuple[str, ...],
    weights: tuple[str, ...],
    seed: int,
    proved: bool,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Compare specs side by side: cost, receptive fields, what moves with the input, and how positions are mixed.

    A row is a question, and every answer has a mark that says how it is known: proved, counted or measured.
    """
    require_suffix(svg, ".svg", "--svg")
    if proved and svg is not None:
        raise click.UsageError("the picture shows what is measured: give `--svg` or `--proved`, not both")
    from archspec.views.comparison.compare import compare

    found = compare(
        specs,
        set=overrides,
        reduced=reduced,
        unproved=unproved,
        inputs=inputs,
        outputs=outputs,
        at=by_name("--at", map(_size, sizes)),
        weights=by_name("--weights", map(_file, weights)),
        seed=seed,
        measured=not proved,
    )
    if svg is not None:
        from archspec.views.comparison.picture import picture

        write_whole(svg, picture(found.specs))
    for one in found.specs:
        note_unproved(one.subject.checked.faults)
    if as_json:
        print_json({**data_of(found), "written": svg})
    else:
        click.echo(text_of(found), nl=False)
        if svg is not None:
            click.echo(f"wrote {svg}")


def _size(text: str) -> tuple[str, int]:
    """A dim and its size. Raises click.BadParameter for another form."""
    name, equals, size = text.partition("=")
    if not (name and equals and size.isdecimal()):
        raise click.BadParameter(f"{text!r} is not DIM=SIZE, such as length=128", param_hint="--at")
    return name, int(size)


def _file(text: str) -> tuple[str, Path]:
    """The name of a spec and its checkpoint. Raises click.BadParameter for another form."""
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise click.BadParameter(
            f"{text!r} is not NAME=FILE, such as resnet-50=model.safetensors", param_hint="--weights"
        )
    return name, Path(file)


def data_of(found: Comparison) -> dict[str, object]:
    """A comparison as JSON-compatible data; `known` says how an answer is known, `value` is the answer as data."""
    from archspec.views.comparison.table import MEANINGS

    return {
        "specs": [
            {
                "label": one.subject.label,
                "input": None if one.subject.source is None else one.subject.source.name,
                "output": one.subject.output,
                "unit": one.subject.unit,
                "sizes": dict(one.subject.sizes),
                "unproved": list(one.subject.checked.faults),
            }
            for one in found.specs
        ],
        "sections": [_section_data(one) for one in found.sections],
        "known": dict(MEANINGS),
        "notes": list(found.notes),
    }


def _section_data(section: Section) -> dict[str, object]:
    rows = [
        {
            "key": row.key,
            "question": row.text,
            "answers": [{"text": one.text, "known": one.known, "value": one.value} for one in row.answers],
        }
        for row in section.rows
    ]
    return {"key": section.key, "title": section.title, "rows": rows}


def text_of(found: Comparison) -> str:
    """A comparison as text of at most `WIDTH` characters a line: sections with a table each, then the legend."""
    from archspec.views.comparison.table import MARKS, MEANINGS

    parts = [_table([["", *(part for label in found.labels for part in ("", label))]], len(found.labels))]
    for section in found.sections:
        rows = [
            [row.text, *(part for one in row.answers for part in (MARKS[one.known] if one.text else "", one.text))]
            for row in section.rows
        ]
        parts.append(f"{fill(section.title, WIDTH)}\n{_table(rows, len(found.labels))}")
    used = {one.known for section in found.sections for row in section.rows for one in row.answers if one.text}
    legend = [f"{mark}  {MEANINGS[known]}" for known, mark in MARKS.items() if known in used]
    return "\n".join([*parts, "\n".join([*legend, *(fill(note, WIDTH) for note in found.notes)]), ""])


def _table(rows: list[list[str]], count: int) -> str:
    """Rows as aligned columns: the question, and for each spec a mark and an answer, which wraps."""
    from io import StringIO

    from rich.console import Console
    from rich.table import Table

    room = (WIDTH - 2 - _QUESTION) // count - 4
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(width=_QUESTION)
    for _ in range(count):
        table.add_column(width=1)
        # A long path is broken and not cut off: it names a node.
        table.add_column(width=room, overflow="fold")
    for row in rows:
        table.add_row(*(f"  {row[0]}" if row[0] else "", *row[1:]))
    # Into a text of fixed width, so that the table does not depend on the terminal.
    console = Console(file=StringIO(), width=WIDTH, color_system=None)
    console.print(table, markup=False, highlight=False)
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"
