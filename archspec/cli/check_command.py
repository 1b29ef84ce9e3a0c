"""`archspec check`: check a spec and prove its rules."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from archspec.analyses.memory import in_words
from archspec.checking import Report, check
from archspec.checking.decoding_cache import DecodingCache, decoding_cache
from archspec.checking.fields import FieldOf, field_text, have_strides, output_fields
from archspec.cli.options import spec_options
from archspec.cli.output import at_sizes, grouped, print_json, report_errors, scaled
from archspec.cli.verdicts import verdict_data, verdict_lines
from archspec.diagnostics import Diagnostic, SpecError, to_json


@click.command("check")
@spec_options
@click.option("--strict", is_flag=True, help="Exit with status 1 on warnings too.")
@click.option(
    "--sarif", is_flag=True, help="Print the diagnostics as a SARIF log, which code hosts show next to the lines."
)
def command(spec: str, overrides: tuple[str, ...], reduced: bool, as_json: bool, strict: bool, sarif: bool) -> None:
    """Check the shapes, masks and counts of SPEC, and prove or refute its rules. This does not load torch."""
    if sarif and as_json:
        raise click.UsageError("give `--json` or `--sarif`, not both")
    try:
        report = check(spec, set=overrides, reduced=reduced)
    except SpecError as error:
        if not sarif:
            raise
        print_sarif(error.diagnostics, spec)
        sys.exit(1)
    if sarif:
        print_sarif(report.diagnostics, str(report.spec.path))
    elif as_json:
        print_json(data_of(report))
    else:
        if report.diagnostics:
            report_errors(report.diagnostics, as_json=False)
        # Counts and verdicts of a spec with errors would look like a result; `--json` has them for tools.
        if report.holds:
            click.echo(text_of(report))
    if not report.holds or (strict and report.diagnostics):
        sys.exit(1)


def print_sarif(found: Sequence[Diagnostic], spec: str) -> None:
    """Print diagnostics as a SARIF log.

    Args:
        found: the diagnostics.
        spec: the path or name of the spec.
    """
    from importlib.metadata import version

    from archspec.diagnostics.sarif import to_sarif

    print_json(to_sarif(found, file=spec, version=version("archspec-compiler")))


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
