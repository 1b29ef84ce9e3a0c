"""`archspec check`: check a spec and prove its rules."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from archspec.analyses.memory import in_words
from archspec.checking import Report, check
from archspec.checking.decoding_cache import DecodingCache, decoding_cache
from archspec.checking.fields import FieldOf, field_text, have_strides, output_fields
from archspec.cli.completion import complete_specs
from archspec.cli.options import JSON, SKIP_OTHERS, specs_among
from archspec.cli.output import at_sizes, grouped, print_json, report_errors, scaled
from archspec.cli.verdicts import verdict_data, verdict_lines
from archspec.diagnostics import Diagnostic, SpecError, to_json
from archspec.record import record


@click.command("check")
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=complete_specs)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    help="Override a constant, or any value by its path: graph.states.layers=2.",
)
@click.option("--reduced", is_flag=True, help="Use the small copy that the spec declares for tests.")
@click.option("--strict", is_flag=True, help="Exit with status 1 on warnings too.")
@SKIP_OTHERS
@click.option(
    "--sarif", is_flag=True, help="Print the diagnostics as a SARIF log, which code hosts show next to the lines."
)
@JSON
def command(
    specs: tuple[str, ...],
    overrides: tuple[str, ...],
    reduced: bool,
    strict: bool,
    skip_others: bool,
    sarif: bool,
    as_json: bool,
) -> None:
    """Check the shapes, masks and counts of each SPEC, and prove or refute its rules. This does not load torch."""
    if sarif and as_json:
        raise click.UsageError("give `--json` or `--sarif`, not both")
    names = specs_among(specs) if skip_others else specs
    checked = [_Checked.of(name, overrides, reduced) for name in names]
    if sarif:
        print_sarif(checked)
    elif as_json:
        data = [one.data() for one in checked]
        holds = all(one.holds for one in checked)
        several = [{"spec": one.name, **found} for one, found in zip(checked, data, strict=True)]
        print_json(data[0] if len(specs) == 1 and data else {"holds": holds, "specs": several})
    else:
        for one in checked:
            one.show()
    if not all(one.holds and not (strict and one.diagnostics) for one in checked):
        sys.exit(1)


@record
class _Checked:
    """What came of one spec: a report, or what is wrong with a file that does not load."""

    name: str
    report: Report | None
    diagnostics: tuple[Diagnostic, ...]

    @classmethod
    def of(cls, name: str, overrides: Sequence[str], reduced: bool) -> _Checked:
        """Check a spec."""
        try:
            report = check(name, set=overrides, reduced=reduced)
        except SpecError as error:
            return cls(name=name, report=None, diagnostics=error.diagnostics)
        return cls(name=name, report=report, diagnostics=report.diagnostics)

    @property
    def holds(self) -> bool:
        """Whether it loads and holds."""
        return self.report is not None and self.report.holds

    @property
    def file(self) -> str:
        """The path of the file, or the name as it was given where there is none."""
        return self.name if self.report is None else str(self.report.spec.path)

    def data(self) -> dict[str, object]:
        """JSON-compatible data."""
        if self.report is None:
            return {"holds": False, "diagnostics": [to_json(one) for one in self.diagnostics]}
        return data_of(self.report)

    def show(self) -> None:
        """Print it: diagnostics on standard error, and the report if it holds."""
        if self.diagnostics:
            report_errors(self.diagnostics, as_json=False)
        # Counts and verdicts of a spec with errors would look like a result; `--json` has them for tools.
        if self.report is not None and self.report.holds:
            click.echo(text_of(self.report))


def print_sarif(checked: Sequence[_Checked]) -> None:
    """Print the diagnostics of specs as one SARIF log."""
    from importlib.metadata import version

    from archspec.diagnostics.sarif import sarif_of

    found = [(one.file, one.diagnostics) for one in checked]
    print_json(sarif_of(found, version=version("archspec-compiler")))


def data_of(report: Report) -> dict[str, object]:
    """The report as JSON-compatible data; FLOPs are given as a formula and at the typical sizes."""
    return {
        "holds": report.holds,
        "name": report.spec.name,
        "parameters": report.cost.parameters,
        "trainable": report.cost.trainable,
        "tied": report.cost.tied,
        "weight_bytes": report.cost.weight_bytes,
        "flops": str(report.cost.flops),
        "flops_typical": report.cost.flops.typical(),
        "sizes": {name: symbol.typical for name, symbol in report.spec.dims.items()},
        "peak_activation_bytes": [str(formula) for formula in report.cost.peak_activations],
        "cache": cache_data(decoding_cache(report.spec)),
        "fields": [field_data(found) for found in output_fields(report.spec, every=True)],
        "rules": verdict_data(report.verdicts),
        "diagnostics": [to_json(found) for found in report.diagnostics],
    }


def text_of(report: Report) -> str:
    """The report as text: parameters and FLOPs, inputs, outputs, the cache of decoding, and a line for each rule."""
    cost, spec = report.cost, report.spec
    frozen = "" if cost.trainable == cost.parameters else f", {grouped(cost.trainable)} trainable"
    flops = f"{scaled(cost.flops.typical(), 'FLOP')} {at_sizes(cost.flops, spec)}".rstrip()
    lines = [f"{spec.name}: {grouped(cost.parameters)} parameters{frozen}, {flops}"]
    lines += [f"  {value.name}: {value.type}" for value in spec.graph.inputs]
    lines += [f"  -> {name}: {value.type}" for name, value in spec.outputs.items()]
    lines += field_lines(output_fields(spec), several=len(spec.outputs) > 1)
    lines += cache_lines(decoding_cache(spec))
    lines += verdict_lines(report.verdicts)
    return "\n".join(lines)


def field_lines(fields: Sequence[FieldOf], *, several: bool) -> list[str]:
    """The lines on receptive fields; with `several` outputs each names its own."""
    return [f"  field of {one.source}{f' at {one.value}' if several else ''}: {field_text(one)}" for one in fields]


def field_data(found: FieldOf) -> dict[str, object]:
    """The fields of an output over an input as JSON-compatible data; null is a global extent or an unknown stride."""
    strides = have_strides(found.fields.values())
    axes = [
        {
            "axis": axis,
            "extent": None if field.extent is None else field.extent.constant or str(field.extent),
            "stride": str(field.stride) if strides and field.stride is not None else None,
            "bound": field.why or None,
            "global_from": None if field.lost is None else field.lost.path or field.lost.op.name,
        }
        for axis, field in found.fields.items()
    ]
    return {"output": found.value, "input": found.source, "axes": axes}


def cache_lines(cache: DecodingCache | None) -> list[str]:
    """The lines on the cache of decoding; none for a spec that does not say how it decodes."""
    if cache is None:
        return []
    if cache.size is None:
        return [f"  no cache: {cache.refused.message}" if cache.refused else "  no cache"]
    parts = [f"{in_words(cache.size.position.typical())} per position and row"] if cache.size.position != 0 else []
    row = cache.size.row.constant
    if row != 0:
        parts.append(f"{cache.size.row} bytes per row" if row is None else f"{in_words(row)} per row")
    lines = [f"  cache in float32: {' and '.join(parts)}; {in_words(cache.most)} per row at {cache.length}"]
    for path, why in cache.latents:
        lines.append(
            f"  cache keeps {'keys and values of heads' if why else 'latents'} of `{path}`{f': {why}' * bool(why)}"
        )
    return lines


def cache_data(cache: DecodingCache | None) -> dict[str, object] | None:
    """The cache of decoding as JSON-compatible data: formulas of bytes, or the code and message of the refusal."""
    if cache is None or cache.size is None:
        refused = None if cache is None else cache.refused
        return None if refused is None else {"refused": to_json(refused)}
    size = cache.size
    data = {"position_bytes": str(size.position), "row_bytes": str(size.row), "most_row_bytes": cache.most}
    latents = [{"path": path, "kept": not why, "reason": why or None} for path, why in cache.latents]
    return data | ({"latents": latents} if latents else {})
