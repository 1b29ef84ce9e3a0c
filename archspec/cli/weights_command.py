"""`archspec weights`: the mapping of tensor names by the layouts of a spec, also for a given checkpoint."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archspec.cli.options import spec_options
from archspec.cli.output import print_json, report_errors
from archspec.diagnostics import to_json, warn
from archspec.diagnostics.layout import printable

if TYPE_CHECKING:
    from archspec.weights.survey import LayoutSurvey, MappedNames

_NUMBER = re.compile(r"(?<![^.])[0-9]+(?![^.])")


@click.command("weights")
@spec_options
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--layout", help="Name of a layout (default: all of them, or the one that fits FILE best).")
def command(
    spec: str, overrides: tuple[str, ...], reduced: bool, as_json: bool, file: Path | None, layout: str | None
) -> None:
    """List which weights of SPEC map to which of a published checkpoint, and draft lines for those that do not.

    FILE is a safetensors or GGUF file, or a folder with safetensors or with an index of shards. Only names and shapes
    are read. The exit status is 1 if a tensor is not mapped.
    """
    from archspec.spec import load
    from archspec.weights.survey import survey_checkpoint, survey_layouts

    loaded = load(spec, set=overrides, reduced=reduced)
    if file is None:
        found = survey_layouts(loaded, layout)
    else:
        from archspec.layouts.parameters import parameter_shapes
        from archspec.weights.bundled import check_floats_alone
        from archspec.weights.files import read_weights
        from archspec.weights.quantised import Dequantised, fp8_names

        with read_weights(file) as opened:
            warn(opened.warnings)
            # Without the scales of fp8, which loading hides as well.
            shapes = Dequantised(opened, opened.shapes, fp8_names(opened)).shapes
            check_floats_alone(parameter_shapes(loaded.graph), shapes, file)
            found = (survey_checkpoint(loaded, shapes, layout),)
    holds = all(_holds(one) for one in found)
    if as_json:
        print_json({"holds": holds, "layouts": [data_of(one) for one in found]})
    else:
        for one in found:
            print_survey(one)
        if not found:
            click.echo(f"{loaded.name} has no layouts; give a checkpoint to draft one")
    if not holds:
        sys.exit(1)


def _holds(survey: LayoutSurvey) -> bool:
    """Whether every tensor on both sides is mapped, tied or skipped, without an error."""
    return not (survey.missing or survey.left or survey.diagnostics)


def data_of(survey: LayoutSurvey) -> dict[str, object]:
    """A survey of a layout as JSON-compatible data."""
    return {
        "layout": survey.layout,
        "mapped": [
            {
                "ours": list(one.ours),
                "theirs": list(one.theirs),
                "operations": list(one.operations),
                "shape": list(one.shape),
                "count": one.count,
            }
            for one in survey.mapped
        ],
        "skipped": list(survey.skipped),
        "tied": list(survey.tied),
        "missing": {name: list(shape) for name, shape in survey.missing.items()},
        "left": {name: list(shape) for name, shape in survey.left.items()},
        "draft": {"map": list(survey.lines), "tied": list(survey.ties)},
        "diagnostics": [to_json(one) for one in survey.diagnostics],
    }


def print_survey(survey: LayoutSurvey) -> None:
    """Print a survey of a layout: a table of mapped tensors, lists of unmapped ones, and drafted lines."""
    name = "no layout" if survey.layout is None else f"layout {survey.layout}"
    if survey.layout is None and survey.mapped:
        name = "the module's own names"
    click.echo(f"{name}: {sum(one.count * len(one.ours) for one in survey.mapped)} tensors map")
    _print_table([_row(one) for one in survey.mapped])
    for what, lines in _lists(survey):
        click.echo(f"{what}:")
        click.echo("\n".join(f"  {printable(line)}" for line in lines))
    if survey.diagnostics:
        report_errors(survey.diagnostics, as_json=False)


def _lists(survey: LayoutSurvey) -> Iterator[tuple[str, Sequence[str]]]:
    """The headings and lines of the sections below the table that are not empty."""
    sections: dict[str, Sequence[str]] = {
        "tied": survey.tied,
        "skipped": survey.skipped,
        "unmapped parameters": _alike(survey.missing),
        "unused tensors of the checkpoint": _alike(survey.left),
        "drafted for `map`, by shapes and names; read each line before you use it": survey.lines,
        "drafted for `tied`": survey.ties,
    }
    return ((what, lines) for what, lines in sections.items() if lines)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=bool(rows), padding=(0, 2, 0, 0))
    for heading in ("  ours", "shape", "theirs", "conversion"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(f"  {row[0]}", *row[1:])
    # Wide enough for any name: users copy names, so they must not be truncated to the width of the terminal.
    Console(width=10_000, highlight=False, markup=False).print(table)


def _row(one: MappedNames) -> tuple[str, ...]:
    """A row of the table: our names, the shape with the number of tensors, their names, and the operations."""
    from archspec.weights.draft import joined

    times = f" x {one.count}" if one.count > 1 else ""
    theirs = printable(", ".join(one.theirs))
    return joined(one.ours), f"{list(one.shape)}{times}", theirs, ", ".join(one.operations)


def _alike(shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """Names and shapes as text; names that differ only in numbers, with one shape, are listed once with a count."""
    counts = Counter(f"{_NUMBER.sub('*', name)} {list(shape)}" for name, shape in shapes.items())
    return [text + (f" x {count}" if count > 1 else "") for text, count in counts.items()]
