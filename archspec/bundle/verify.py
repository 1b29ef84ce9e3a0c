"""Verify a bundle against its own spec: the module, and every artifact that this host can open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from archspec.bundle.bundle import Bundle
from archspec.bundle.bundled_spec import bundled_claims
from archspec.bundle.choice import obstacle, unopened
from archspec.bundle.expected import read_recording
from archspec.bundle.genai_verify import verify_genai
from archspec.bundle.integers import integers_finding
from archspec.bundle.manifest import ArtifactEntry
from archspec.bundle.parity import MOST_PARAMETERS, float_arrays
from archspec.bundle.rank_verify import verify_ranks
from archspec.bundle.report import TOLERANCE
from archspec.bundle.sources import MODULE, SPEC
from archspec.bundle.step_verify import verify_steps
from archspec.checking.checks import accepted
from archspec.contract.compiled import compiled_subject
from archspec.contract.held import CLAIM, UNTIED, hold
from archspec.contract.protocol import Precision, Subject
from archspec.contract.report import ContractReport, Finding
from archspec.contract.verify import verify
from archspec.diagnostics import fail
from archspec.layouts.parameters import parameter_shapes
from archspec.lower import emit
from archspec.model.checked import Checked
from archspec.model.exposing import with_inner
from archspec.model.runner import Array, Arrays, FunctionRunner
from archspec.oracle.interpreter import interpret
from archspec.spec.claims import Claims


def verify_bundle(bundle: Bundle, seed: int = 0) -> Iterator[ContractReport]:
    """Yield a report on the module with the bundle's weights, and one on each artifact within each profile, or rank.

    Each is checked against every rule and compared with the interpreter on the bundle's weights; in half precision
    within a tolerance that the report names. For an artifact that this host cannot open, the report says why. None
    rounds what it multiplies with quantised weights: what that costs was measured in the build.
    """
    bundle = bundle.exactly()
    claims = bundled_claims(bundle.path / SPEC)
    weights = float_arrays(bundle.path / bundle.manifest.weights.path)
    _check_weights(bundle, claims, weights)
    yield _module(bundle, claims, weights, seed)
    # The interpreter computes in float64: larger models take too much memory and are not compared with it.
    few = sum(array.size for array in weights.values()) <= MOST_PARAMETERS
    for entry in bundle.manifest.artifacts:
        for name, narrowed in _within_profiles(bundle, entry, claims):
            yield _artifact(bundle, entry, name, narrowed, weights if few else None, seed)
    yield from verify_steps(bundle, claims, weights, few, seed)
    if bundle.manifest.tensor is not None:
        yield from verify_ranks(bundle, bundle.manifest.tensor, claims, weights)
    if bundle.manifest.genai is not None:
        yield verify_genai(bundle, bundle.manifest.genai, claims, weights, few, seed)


def _check_weights(bundle: Bundle, claims: Claims, weights: Mapping[str, Array]) -> None:
    """Raise SpecError E607 if the weights are not those of the spec: a manifest may agree with both files."""
    assert claims.spec is not None
    wanted = parameter_shapes(claims.spec.graph)
    notes = [f"it has no `{name}`" for name in wanted if name not in weights]
    notes += [
        f"`{name}` is {list(weights[name].shape)}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in weights and weights[name].shape != tuple(shape)
    ]
    if notes:
        fail("E607", f"{bundle.manifest.weights.path} does not match {SPEC}", None, notes=notes[:6])


def _within_profiles(bundle: Bundle, entry: ArtifactEntry, claims: Claims) -> Iterator[tuple[str, Claims]]:
    """Yield a name and the claims for each profile that an artifact was built for."""
    name, interface = f"{bundle.path.name}: {entry.target}, {entry.dtype}", bundle.interface
    for profile in entry.profiles:
        narrowed = interface.narrowed(profile)
        ranges = ", ".join(f"{dim}={':'.join(map(str, sizes))}" for dim, sizes in profile.items())
        whole = narrowed.dims == interface.dims
        dims = claims.dims if whole else {symbol.name: symbol for symbol in narrowed.symbols}
        yield name if whole else f"{name}, {ranges}", replace(claims, dims=dims)


def _module(bundle: Bundle, claims: Claims, weights: Mapping[str, Array], seed: int) -> ContractReport:
    """Return the report on the emitted module.

    The module is compiled from the spec: code in a bundle's file is never executed.
    """
    assert claims.spec is not None
    # Verification measures what holds, so a spec that is not proved is measured like any other.
    checked = accepted(claims.spec, unproved=True)
    claims = with_inner(claims.spec)
    subject, parameters = compiled_subject(checked, claims, weights)
    made = verify(replace(subject, name=f"{bundle.path.name}: {MODULE}"), claims, parameters=parameters, seed=seed)
    return replace(made, findings=(_source(bundle, checked), *_original(bundle, claims, subject), *made.findings))


def _original(bundle: Bundle, claims: Claims, subject: Subject) -> Iterator[Finding]:
    """Yield a comparison of the module with the original, or that given weights were not compared with theirs.

    If the bundle carries the reference, the module is compared again; else the finding is that of the build.
    """
    weights, reference = bundle.manifest.weights, bundle.manifest.carried_reference
    if reference is not None:
        assert claims.spec is not None
        yield hold(claims, subject, [read_recording(claims.spec, bundle.path / reference, reference)]).finding()
    elif weights.is_untied:
        yield Finding(claim=CLAIM, status="not measured", detail=f"{UNTIED}: build with `--expect`")
    elif weights.original is not None:
        detail = f"when it was built: {weights.original}"
        yield Finding(claim=CLAIM, status="holds", detail=detail, trials=1)


def _source(bundle: Bundle, checked: Checked) -> Finding:
    """Return whether the bundle's module file equals what its spec compiles to."""
    claim = f"{MODULE} equals what the spec compiles to"
    if (bundle.path / MODULE).read_text(encoding="utf-8") == emit(checked):
        return Finding(claim=claim, status="holds", trials=1)
    return Finding(
        claim=claim, status="violated", detail="build the bundle again: it was written by another version, or edited"
    )


def _artifact(
    bundle: Bundle, entry: ArtifactEntry, name: str, claims: Claims, weights: Mapping[str, Array] | None, seed: int
) -> ContractReport:
    """Return the report on one artifact."""
    closed = obstacle(entry)
    if closed is not None:
        finding = Finding(claim="opens on this host", status="not measured", detail=unopened(entry, closed))
        return ContractReport(subject=name, claims=claims.name, findings=(finding,))

    def run(arrays: Arrays) -> dict[str, Array]:
        return bundle.run(arrays, artifact=entry.target)

    half = entry.dtype != "float32"
    allowed = TOLERANCE[entry.dtype]
    precision = Precision(name=entry.dtype, parity=allowed, faint=allowed) if half else Precision()
    runner = FunctionRunner(function=run)
    subject = Subject(name=name, runner=runner, precision=precision, twin=_interpreter(claims, weights))
    made = verify(subject, claims, parameters=weights, seed=seed)
    assert claims.spec is not None
    return replace(made, findings=(*integers_finding(bundle, [entry], claims.spec.graph), *made.findings))


def _interpreter(claims: Claims, weights: Mapping[str, Array] | None) -> FunctionRunner | None:
    """Return the interpreter on the bundle's weights in float64, None without weights or spec."""
    spec = claims.spec
    if spec is None or weights is None:
        return None

    def run(arrays: Arrays) -> dict[str, Array]:
        return interpret(spec.graph, arrays, weights)

    return FunctionRunner(function=run)
