"""Comparison of a model with the interpreter of its spec's graph, on the same parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from archspec.analyses.cost import cost
from archspec.contract.counted import counted, over
from archspec.contract.difference import difference
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.model.runner import Array, Arrays
from archspec.model.samples import generate, patterns
from archspec.oracle.borders import MOST, TWICE, settled
from archspec.oracle.interpreter import interpret
from archspec.passes.round_operands import rounds
from archspec.spec import Spec
from archspec.spec.claims import Claims

MOST_PARAMETERS = 150_000_000
"""Models with more parameters are not compared with the interpreter, which keeps all of them in float64."""


def parity(
    claims: Claims,
    spec: Spec,
    subject: Subject,
    parameters: Mapping[str, Array],
    sizes: Mapping[str, int],
    seed: int,
) -> Finding:
    """Compare outputs at the positions that count, under every padding pattern of the inputs.

    If the subject has a float64 runner, it is compared too: it shows errors that rounding hides, such as a missing cap
    on small scores.

    Args:
        claims: declared inputs, outputs and rules.
        spec: the spec whose graph is interpreted.
        subject: the model; its `precision` gives the tolerances.
        parameters: the model's parameters by the names of the spec.
        sizes: the size of each dim.
        seed: seed of the first inputs; the n-th pattern uses `seed + n`.

    Returns:
        one finding; `violated` at the first pattern whose difference exceeds a tolerance.
    """
    claim = "equal to the interpreter"
    if cost(spec.graph).parameters > MOST_PARAMETERS:
        return Finding(claim=claim, status="not measured", detail="too many parameters for float64")
    opens = rounds(spec.graph)
    if opens and subject.exact is not None:
        # In float32, a number half-way between two of a grid may go to either.
        subject = replace(subject, runner=subject.exact)
    tolerance, largest, trials = subject.precision.parity, 0.0, 0
    for number, pattern in enumerate(patterns(claims)):
        arrays = generate(claims, sizes, pattern, seed + number)
        expected, explained = _expected(spec, arrays, parameters, sizes, open=opens and subject.exact is None)
        positions = counted(claims, arrays, sizes)
        trials += 1
        found = subject.runner.run(arrays)
        place, apart = _farthest(found, expected, positions)
        largest = max(largest, apart)
        exactly = (place, 0.0)
        if subject.exact is not None:
            twin = found if subject.exact is subject.runner else subject.exact.run(arrays)
            exactly = _farthest(twin, expected, positions, subject.precision.least)
        allowed = max(tolerance, explained)
        if apart > allowed or exactly[1] > subject.precision.exact:
            how, (place, apart) = ("", (place, apart)) if apart > allowed else (" in float64", exactly)
            detail = f"{place} differs by {apart:.2g}{how}, at {shown(sizes)}"
            return Finding(claim=claim, status="violated", detail=detail, trials=trials, largest=apart)
    detail = f"within {subject.precision.parity:g}" if subject.precision.is_half else ""
    return Finding(claim=claim, status="holds", detail=detail, trials=trials, largest=largest)


def _expected(
    spec: Spec, arrays: Arrays, parameters: Mapping[str, Array], sizes: Mapping[str, int], *, open: bool
) -> tuple[Mapping[str, Array], float]:
    """What the interpreter computes, and how far from it numbers at borders of rounding may move an output.

    This is relative to its largest value or to 1, and 0 if it is not `open` which way these go.
    """
    if not open:
        return interpret(spec.graph, arrays, parameters, sizes), 0.0
    made = settled(spec.graph, arrays, parameters, sizes)
    scales = {name: max(1.0, float(np.abs(one).max(initial=0.0))) for name, one in made.outputs.items()}
    shares = (float(one.max(initial=0.0)) / scales[name] for name, one in made.apart.items())
    return made.outputs, min(TWICE * max(shares, default=0.0), MOST)


def _farthest(found: Arrays, expected: Arrays, positions: Mapping[str, Array], least: float = 1.0) -> tuple[str, float]:
    """The element at which outputs differ most, and by how much, relative to the largest value or to `least`.

    For outputs that are not float any difference counts as 1.
    """
    # Below any share, so that an output without differences is named as well.
    farthest, share = "", -1.0
    for name, wanted in expected.items():
        apart = difference(found[name], wanted, over(positions[name], wanted.shape))
        exact = wanted.dtype.kind == "f"
        here = apart.share(least) if exact else float(apart.largest > 0)
        if here > share:
            farthest, share = f"{name}[{', '.join(map(str, apart.place))}]", here
    return farthest, share
