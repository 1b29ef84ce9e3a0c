"""`archspec verify`: test a model against its contract."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspec.cli.options import UNPROVED, seed_option, spec_options
from archspec.cli.output import print_json, report_errors
from archspec.diagnostics import did_you_mean, fail, to_json
from archspec.record import record

if TYPE_CHECKING:
    from archspec.checking import Report as Checks
    from archspec.contract.protocol import Subject
    from archspec.contract.report import ContractReport
    from archspec.spec.claims import Claims

_SMALL = 20_000_000
BOOLS = ("bool", "int64", "int32", "float32")


@click.command("verify")
@spec_options
@UNPROVED
@click.option("--module", metavar="PACKAGE.MODULE:FACTORY", help="Verify what this factory returns.")
@click.option("--onnx", type=click.Path(path_type=Path), help="Verify an ONNX file.")
@click.option(
    "--bind",
    "bindings",
    multiple=True,
    metavar="NAME=PLACE",
    help="The module's or the original's parameter for an input, or where an output is in what it returns: a key or an "
    "index.",
)
@click.option("--as", "bools", type=click.Choice(BOOLS), help="Pass bool inputs to the module in this dtype.")
@click.option("--no-fill", is_flag=True, help="Keep the module's parameters (default: random ones).")
@click.option("--weights", type=click.Path(path_type=Path), help="Verify with these weights: a file or folder.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="A folder of Hugging Face: compare with the model that transformers makes of it.",
)
@seed_option("Seed of the parameters, the inputs and their perturbations.")
def command(
    spec: str,
    overrides: tuple[str, ...],
    reduced: bool,
    as_json: bool,
    unproved: bool,
    module: str | None,
    onnx: Path | None,
    bindings: tuple[str, ...],
    bools: str | None,
    no_fill: bool,
    weights: Path | None,
    against: Path | None,
    seed: int,
) -> None:
    """Test a model against the rules, shapes and promises of SPEC by running it. Weight layouts are checked too.

    SPEC is a spec (its compiled module is tested), a bundle (its module and every artifact that this host can open),
    or a file of rules without a graph, for the model that `--module` or `--onnx` gives. The verdicts of `check` are
    printed as well; unless `--unproved` is given, the command fails if one of them does not hold.
    """
    _check_usage(module, onnx, bindings, bools, no_fill, weights, against)
    from archspec.bundle.read import is_bundle

    if is_bundle(spec):
        if module is not None or onnx is not None or weights is not None or overrides or reduced:
            raise click.UsageError(
                "`--module`, `--onnx`, `--weights`, `--set` and `--reduced` do not apply to a bundle"
            )
        checks: Checks | None
        reports, checks, built_so = of_bundle(Path(spec), seed)
        # A bundle that was built unproved says so in its manifest, and is verified on these terms.
        unproved = unproved or built_so
    else:
        from archspec.spec.claims import load_claims

        claims = load_claims(spec, set=overrides, reduced=reduced)
        given = GivenModel(
            module=module,
            onnx=onnx,
            bindings=bindings,
            bools=bools,
            fill=not no_fill,
            weights=weights,
            against=against,
            seed=seed,
        )
        reports, checks = [of_model(claims, given)], checks_of(claims)
    holds = all(report.holds for report in reports) and (unproved or checks is None or checks.holds)
    _print(reports, checks, holds, as_json)
    if not holds:
        sys.exit(1)


def _check_usage(
    module: str | None,
    onnx: Path | None,
    bindings: tuple[str, ...],
    bools: str | None,
    no_fill: bool,
    weights: Path | None,
    against: Path | None,
) -> None:
    """Raise UsageError for options that do not go together."""
    if module is not None and onnx is not None:
        raise click.UsageError("give `--module` or `--onnx`, not both")
    if module is None and (bools or no_fill):
        raise click.UsageError("`--as` and `--no-fill` require `--module`")
    if module is None and against is None and bindings:
        raise click.UsageError("`--bind` requires `--module` or `--against`")
    if against is not None and (weights is None or module is not None):
        raise click.UsageError("`--against` compares a compiled spec with its original: give SPEC and `--weights`")
    if onnx is not None and weights is not None:
        raise click.UsageError("an ONNX file has its own weights: leave out `--weights`")


def _print(reports: list[ContractReport], checks: Checks | None, holds: bool, as_json: bool) -> None:
    """Print the reports of the measurements, and the verdicts and errors of `check` if there are any."""
    from archspec.cli.verdicts import verdict_data, verdict_lines

    if as_json:
        data: dict[str, Any] = {"holds": holds, "reports": [report.to_json() for report in reports]}
        if checks is not None:
            data["verdicts"] = verdict_data(checks.verdicts)
            data["diagnostics"] = [to_json(one) for one in checks.diagnostics]
        print_json(data)
        return
    lines = [str(report) for report in reports]
    if checks is not None:
        lines += [f"check of {checks.spec.name}", *verdict_lines(checks.verdicts)]
    click.echo("\n".join(lines))
    if checks is not None and not checks.holds:
        report_errors(checks.diagnostics, as_json=False)


def checks_of(claims: Claims) -> Checks | None:
    """The report of `check` on the spec; None if the file has no graph."""
    from archspec.checking import check

    return None if claims.spec is None else check(claims.spec)


@record
class GivenModel:
    """The options that describe the model to verify."""

    module: str | None = None
    onnx: Path | None = None
    bindings: tuple[str, ...] = ()
    bools: str | None = None
    fill: bool = True
    weights: Path | None = None
    against: Path | None = None
    seed: int = 0


def of_model(claims: Claims, given: GivenModel) -> ContractReport:
    """The report on a given model, or on the compiled module if none is given.

    Raises:
        SpecError: if a weight layout of the spec does not fit the architecture (not checked for ONNX files), or the
            model cannot be loaded.
    """
    from archspec.contract.verify import verify

    if given.onnx is not None:
        from archspec.contract.fitting import onnx_subject

        return verify(onnx_subject(given.onnx, claims), claims, seed=given.seed)
    if claims.spec is not None:
        from archspec.layouts.check import check_layouts

        check_layouts(claims.spec)
    _calm(claims)
    if given.module is not None:
        return verify(_of_module(claims, given, given.module), claims, seed=given.seed)
    from archspec.contract.compiled import verify_compiled

    if given.against is not None:
        return _against(claims, given, given.against)
    return verify_compiled(claims, given.seed, given.weights)


def _against(claims: Claims, given: GivenModel, folder: Path) -> ContractReport:
    """The report on the compiled module, which is compared with its original too.

    Raises:
        SpecError: E604 or E642 if the original cannot be opened, E730, E731 or E734 if inputs and outputs do not fit.
    """
    from archspec.contract.compiled import verify_compiled
    from archspec.contract.held import CLAIM
    from archspec.interop.huggingface.bindings import Named
    from archspec.interop.huggingface.original import open_original

    arguments, outputs = read_bindings(claims, given.bindings)
    original = open_original(folder, claims, Named(arguments=arguments, results=outputs))
    report = verify_compiled(claims, given.seed, given.weights, original.recorded(claims, given.seed))
    findings = (original.noted(one) if one.claim == CLAIM else one for one in report.findings)
    return replace(report, findings=tuple(findings))


def _of_module(claims: Claims, given: GivenModel, name: str) -> Subject:
    """The model that a factory returns, as a subject.

    Its parameters are kept with `--no-fill` or `--weights`, else they are filled.

    Raises:
        SpecError: E733 if the factory fails, E734 for bindings that do not fit, E607 for weights that do not fit.
    """
    import torch

    from archspec.contract.fitting import model_subject

    model = made(name)
    arguments, outputs = read_bindings(claims, given.bindings)
    return model_subject(
        model,
        claims,
        name,
        seed=given.seed if given.fill else None,
        arguments=arguments,
        outputs=outputs,
        bools=None if given.bools is None else getattr(torch, given.bools),
        weights=given.weights,
    )


def read_bindings(claims: Claims, texts: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str | int]]:
    """Read bindings such as `valid=attention_mask`.

    Returns:
        parameter names by input, and keys or indices in the return value by output.

    Raises:
        SpecError: E734 for text without a target, and for a name that is neither an input nor an output.
    """
    arguments: dict[str, str] = {}
    outputs: dict[str, str | int] = {}
    for text in texts:
        name, _, place = (part.strip() for part in text.partition("="))
        if not name or not place:
            fail("E734", f"`--bind {text}` has no target", None, help="write `--bind NAME=PLACE`")
        if name in arguments or name in outputs:
            fail("E734", f"`{name}` is bound twice", None, help="remove one `--bind`")
        if name in claims.inputs:
            arguments[name] = place
        elif name in claims.outputs:
            # A negative number counts from the end of a tuple.
            outputs[name] = int(place) if place.lstrip("-").isdecimal() else place
        else:
            help = did_you_mean(name, [*claims.inputs, *claims.outputs], kind="inputs and outputs")
            fail("E734", f"`{name}` is bound, but the file does not declare such an input or output", None, help=help)
    return arguments, outputs


def of_bundle(path: Path, seed: int) -> tuple[list[ContractReport], Checks, bool]:
    """Verify a bundle.

    Returns:
        the reports on its module and artifacts; the report of `check` on its spec; and whether the bundle was built
        although something in the spec did not hold.
    """
    from archspec.bundle import open as open_bundle
    from archspec.bundle.sources import SPEC
    from archspec.bundle.verify import verify_bundle
    from archspec.checking import check

    bundle = open_bundle(path)
    return list(verify_bundle(bundle, seed)), check(bundle.path / SPEC), bool(bundle.manifest.unproved)


def made(name: str) -> Any:
    """The model that a factory `package.module:factory` returns; the working directory is importable.

    Raises SpecError E733 if it cannot be imported, or does not return something that can be called.
    """
    package, _, factory = name.partition(":")
    if not package or not factory:
        fail("E733", f"`{name}` does not name a factory", None, help="write `--module package.module:factory`")
    # An installed command does not search the working directory by itself.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(package), factory)()
    except ImportError as error:
        fail("E733", f"`{package}` cannot be imported", None, notes=[str(error)])
    except Exception as error:  # noqa: BLE001 - the code of a user may raise anything
        fail("E733", f"`{name}` does not return a model", None, notes=[f"{type(error).__name__}: {error}"])
    if not callable(found):
        fail("E733", f"`{name}` is a {type(found).__name__}, which cannot be called", None)
    return found


def _calm(claims: Claims) -> None:
    """Use one thread for a small compiled model, because several would mostly wait for each other."""
    import torch

    from archspec.analyses.cost import cost

    if claims.spec is not None and cost(claims.spec.graph).parameters < _SMALL:
        torch.set_num_threads(1)
