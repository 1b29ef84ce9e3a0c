"""Every artifact of a bundle that this host can run, against the bundle's own spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.bundle.bundle import Bundle
from archspec.bundle.choice import obstacle
from archspec.bundle.parity import float_arrays
from archspec.bundle.sources import SPEC
from archspec.contract.protocol import Array, Arrays, FunctionRunner, Subject
from archspec.contract.report import Report
from archspec.contract.verify import verify
from archspec.spec.claims import load_claims


def verify_bundle(bundle: Bundle, seed: int = 0) -> Iterator[Report]:
    """A report for each artifact that this host can run; float32 ones are compared with the interpreter too.

    Raises SpecError E710 where there is none.
    """
    claims = load_claims(bundle.path / SPEC)
    parameters: Mapping[str, Array] | None = None
    entries = [entry for entry in bundle.manifest.artifacts if obstacle(entry) is None]
    for entry in entries or [bundle.manifest.artifacts[0]]:
        target = bundle.chosen(entry.target)
        if parameters is None and entry.dtype == "float32":
            parameters = float_arrays(bundle.path / bundle.manifest.weights.path)

        def run(arrays: Arrays, target: str = target) -> dict[str, Array]:
            return bundle.run(arrays, artifact=target)

        runner = FunctionRunner(inputs=tuple(claims.inputs), outputs=tuple(claims.outputs), function=run)
        subject = Subject(name=f"{bundle.path.name}: {target}", runner=runner)
        exact = parameters if entry.dtype == "float32" else None
        yield verify(subject, claims, parameters=exact, seed=seed)
