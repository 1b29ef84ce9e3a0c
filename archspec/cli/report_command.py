"""`archspec report`: one self-contained page about specs and bundles."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archspec.cli.completion import complete_specs
from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.cli.writing import require_suffix, write_whole
from archspec.diagnostics import SpecError

if TYPE_CHECKING:
    from archspec.bundle import Bundle
    from archspec.checking import Report
    from archspec.views.comparison.compare import Comparison
    from archspec.views.html.document import Reported


@click.command("report")
@click.argument("specs", metavar="SPEC|BUNDLE...", nargs=-1, required=True, shell_complete=complete_specs)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The page to write, .html."
)
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override a constant or a path.")
@click.option("--reduced", is_flag=True, help="Use the small copies that the specs declare for tests.")
@click.option("--measured", is_flag=True, help="Measure the specs that are compared, too; this loads torch.")
@JSON
def command(
    specs: tuple[str, ...], output: Path, overrides: tuple[str, ...], reduced: bool, measured: bool, as_json: bool
) -> None:
    """Write one HTML file about specs or bundles: verdicts, pictures, parts, masks, dependence and costs.

    Of a bundle it has the artifacts with their contract and parity, from the manifest; several specs are compared. The
    file loads nothing from anywhere. It is written also where a rule does not hold, and the exit status is then 1.
    """
    require_suffix(output, ".html", "-o")
    from archspec.views.html.document import document

    found = subjects(specs, overrides, reduced)
    write_whole(output, document(found, compared(found, measured)))
    holds = all(one.report.holds for one in found)
    if as_json:
        print_json({"holds": holds, "specs": [one.label for one in found], "written": output})
    else:
        faults = "" if holds else ", which says what does not hold"
        click.echo(f"wrote {output}{faults}")
    if not holds:
        sys.exit(1)


def subjects(sources: Sequence[str], overrides: Sequence[str], reduced: bool) -> list[Reported]:
    """What the report is about. Raises SpecError for a spec that does not load and a bundle that was changed."""
    from archspec.views.html.document import Reported

    known = [_read(source, overrides, reduced) for source in sources]
    names = [report.spec.name for report, _ in known]
    labels = [
        name if names.count(name) == 1 else f"{name} ({source})" for name, source in zip(names, sources, strict=True)
    ]
    return [
        Reported(label=label, report=report, bundle=bundle)
        for label, (report, bundle) in zip(labels, known, strict=True)
    ]


def _read(source: str, overrides: Sequence[str], reduced: bool) -> tuple[Report, Bundle | None]:
    """The report on a spec, and the bundle if the source is one. Raises SpecError, and UsageError for its options."""
    from archspec.bundle.read import is_bundle
    from archspec.checking import check

    if not is_bundle(source):
        return check(source, set=overrides, reduced=reduced), None
    if overrides or reduced:
        raise click.UsageError("a bundle has its own spec: --set and --reduced do not apply")
    from archspec.bundle.read import open as open_bundle
    from archspec.bundle.sources import SPEC

    bundle = open_bundle(source)
    return check(bundle.path / SPEC), bundle


def compared(found: Sequence[Reported], measured: bool) -> Comparison | SpecError | None:
    """The comparison of the specs that differ, or the error that says why they are not compared; None for one spec."""
    different = {one.report.spec.digest: one for one in reversed(found)}
    several = [one for one in found if different[one.report.spec.digest] is one]
    if len(several) < 2:
        return None
    from archspec.views.comparison.compare import compare

    try:
        # The page says of each spec what does not hold.
        made = compare([one.report.accept(unproved=True) for one in several], measured=measured)
    except SpecError as error:
        # What is not alike enough to be compared can be reported all the same.
        return error
    return replace(made, labels=tuple(one.label for one in several))
