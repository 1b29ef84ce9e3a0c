"""Checks affine rules by second differences: changes of the input add up, and weigh the same under other inputs."""

from __future__ import annotations

import numpy as np

from archspec.contract.perturb import EXACT_TOLERANCE
from archspec.contract.probes import output_name
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.contract.sizes import Point
from archspec.model.runner import Arrays, Runner
from archspec.model.samples import OPEN, generate
from archspec.rules.measure import Measured, UnmeasurableError
from archspec.rules.second import corners, largest_at, second_difference
from archspec.spec import Rule
from archspec.spec.claims import Claims

_TRIALS = 2
# Four runs in float64 may each be off by a few roundings of the largest value.
_ROUNDINGS = 1000
_GRID = 32


def affine(claims: Claims, subject: Subject, rule: Rule, point: Point, seed: int) -> Finding:
    """Check an affine rule at one point; the arguments are those of `upper`.

    Raises:
        SpecError: if the model fails to run.
    """
    runner, tolerance = subject.runner, _single(subject)
    if subject.exact is not None:
        runner, tolerance = subject.exact, _ROUNDINGS * EXACT_TOLERANCE
    largest, trials = 0.0, 0
    try:
        output = output_name(claims, rule)
        if rule.input.name not in claims.inputs:
            raise UnmeasurableError(f"`{rule.fields.input}` is not an input")
        for trial in range(_TRIALS):
            for by_others, (at, size) in _differences(claims, runner, rule, point, output, seed + trial):
                trials, largest = trials + 1, max(largest, size)
                if size > tolerance:
                    detail = _detail(rule, at, size, by_others)
                    detail = f"{detail}, at {shown(point.sizes)}"
                    return Finding(claim=str(rule), status="violated", detail=detail, trials=trials, largest=largest)
    except UnmeasurableError as error:
        return Finding(claim=str(rule), status="not measured", detail=str(error))
    return Finding(claim=str(rule), status="holds", detail=point.note, trials=trials, largest=largest)


def _single(subject: Subject) -> float:
    """The tolerance without a float64 twin: four results may each be off by that of parity."""
    return 4 * max(subject.tolerance, subject.precision.parity)


def _differences(
    claims: Claims, runner: Runner, rule: Rule, point: Point, output: str, seed: int
) -> list[tuple[bool, tuple[tuple[int, ...], float]]]:
    """The largest second difference of both kinds, with its position."""
    arrays, others = (generate(claims, point.sizes, OPEN, number) for number in (seed, seed + 1))
    name, r = rule.input.name, np.random.default_rng(seed)
    # Multiples of a power of two: their sums are exact in every precision, and no rounding looks like a curve.
    parts = (arrays[name], r.normal(size=arrays[name].shape), r.normal(size=arrays[name].shape))
    source, first, second = (np.round(part * _GRID).astype(arrays[name].dtype) / _GRID for part in parts)

    def run(values: np.ndarray, is_other: bool) -> np.ndarray:
        return np.asarray(runner.run({**(others if is_other else arrays), name: values})[output])

    found = []
    for by_others, runs in corners(source, first, second):
        about: list[Arrays] = [arrays, others] if by_others else [arrays]
        inputs = [Measured(arrays={**one, name: source}, sizes=point.sizes) for one in about]
        results = [run(values, is_other) for values, is_other in runs]
        found.append((by_others, largest_at(second_difference(rule, results, inputs))))
    return found


def _detail(rule: Rule, at: tuple[int, ...], size: float, by_others: bool) -> str:
    changed = "the other inputs" if by_others else f"`{rule.fields.input}` itself"
    place = f"{rule.fields.output}[{', '.join(map(str, at))}]"
    return f"the effect of `{rule.fields.input}` on {place} depends on {changed} (it differs by {size:.2g})"
