"""A model of a spec against the interpreter of its graph, on the same parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.analyses.cost import cost
from archspec.contract.probes import output_name
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.model.runner import Array, Arrays
from archspec.model.samples import generate, patterns
from archspec.oracle.interpreter import interpret
from archspec.rules.kind import UpperKind, rule_kinds
from archspec.rules.measure import Measured, UnmeasurableError
from archspec.spec import Spec
from archspec.spec.claims import Claims

MOST_PARAMETERS = 150_000_000
"""The interpreter keeps every parameter in float64: for larger models it is left out."""


def parity(
    claims: Claims,
    spec: Spec,
    subject: Subject,
    parameters: Mapping[str, Array],
    sizes: Mapping[str, int],
    seed: int,
) -> Finding:
    """Compare outputs at promised positions, under every pattern of the inputs.

    In float64, too, where that is had: mistakes show there that rounding hides, such as the lost cap of small scores.
    """
    claim = "equal to the interpreter"
    if cost(spec.graph).parameters > MOST_PARAMETERS:
        return Finding(claim=claim, status="not measured", detail="too many parameters for float64")
    tolerance, largest, trials = subject.precision.parity, 0.0, 0
    for number, pattern in enumerate(patterns(claims)):
        arrays = generate(claims, sizes, pattern, seed + number)
        expected = interpret(spec.graph, arrays, parameters, sizes)
        counted = {name: _counted(claims, name, arrays, sizes) for name in expected}
        trials += 1
        place, apart = _farthest(subject.runner.run(arrays), expected, counted)
        largest = max(largest, apart)
        exactly = (place, 0.0)
        if subject.exact is not None:
            exactly = _farthest(subject.exact.run(arrays), expected, counted, subject.precision.least)
        if apart > tolerance or exactly[1] > subject.precision.exact:
            how, (place, apart) = ("", (place, apart)) if apart > tolerance else (" in float64", exactly)
            detail = f"{place} differs by {apart:.2g}{how}, at {shown(sizes)}"
            return Finding(claim=claim, status="violated", detail=detail, trials=trials, largest=apart)
    detail = f"within {subject.precision.parity:g}" if subject.precision.is_half else ""
    return Finding(claim=claim, status="holds", detail=detail, trials=trials, largest=largest)


def _farthest(found: Arrays, expected: Arrays, counted: Mapping[str, Array], least: float = 1.0) -> tuple[str, float]:
    """The place at which outputs differ most, and by how much, as a share of the largest value or of `least`."""
    differences = {name: _difference(found[name], wanted, counted[name], least) for name, wanted in expected.items()}
    name = max(differences, key=lambda one: differences[one][1])
    where, apart = differences[name]
    return f"{name}[{', '.join(map(str, where))}]", apart


def _counted(claims: Claims, name: str, arrays: Arrays, sizes: Mapping[str, int]) -> Array:
    """Positions of an output that every `ignores` rule promises: what stands at padding is anyone's."""
    counted = np.ones((1,), dtype=bool)
    for rule in claims.rules:
        if rule.where is None or rule.output is not claims.outputs[name]:
            continue
        try:
            output_name(claims, rule)
            kind = rule_kinds()[rule.kind]
            assert isinstance(kind, UpperKind)
            at = kind.kept(rule, Measured(arrays=arrays, sizes=sizes))
        except UnmeasurableError:
            continue
        wide, narrow = (at, counted) if at.ndim > counted.ndim else (counted, at)
        counted = wide & narrow.reshape(narrow.shape + (1,) * (wide.ndim - narrow.ndim))
    return counted


def _difference(found: Array, wanted: Array, counted: Array, least: float) -> tuple[tuple[int, ...], float]:
    """Where the largest difference is, and how large."""
    if found.shape != wanted.shape:
        return (), float("inf")
    one, other = found.astype(np.float64), wanted.astype(np.float64)
    counts = np.broadcast_to(counted.reshape(counted.shape + (1,) * (other.ndim - counted.ndim)), other.shape)
    scale = max(least, float(np.abs(other).max(initial=0.0, where=counts & np.isfinite(other))))
    same = (one == other) | (np.isnan(one) & np.isnan(other)) | ~counts
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(one - other) / scale)
    apart = np.where(np.isnan(apart), np.inf, apart)
    place = np.unravel_index(int(apart.argmax()), apart.shape)
    return tuple(int(index) for index in place), float(apart[place])
