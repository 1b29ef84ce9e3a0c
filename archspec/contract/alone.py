"""Checks that rows of a padded batch give what they give alone: both are run, at several lengths and paddings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archspec.contract.perturb import EXACT_TOLERANCE
from archspec.contract.probes import output_name
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.contract.sizes import Point
from archspec.model.runner import Arrays, Runner
from archspec.model.samples import OPEN, generate
from archspec.rules.measure import UnmeasurableError
from archspec.rules.padded_rows import Place, RowApart, alone, apart, marked, places, row_dims
from archspec.spec import Rule
from archspec.spec.claims import Claims

# Sums over another number of keys round otherwise.
_EXACT = 1e4 * EXACT_TOLERANCE
_LOOSE = 10


def rows_alone(claims: Claims, subject: Subject, rule: Rule, point: Point, seed: int) -> Finding:
    """Check at one point that every row gives, at its valid positions, what it gives alone.

    Args:
        claims: declared inputs and outputs.
        subject: the model.
        rule: a rule of a `RowsKind`.
        point: the sizes of the padded batch.
        seed: seed of the inputs.

    Returns:
        `violated` with the row that is farthest from what it is alone, `holds` if some row could be compared, else
        `not measured`.

    Raises:
        SpecError: if the model fails to run.
    """
    claim, trials, largest = str(rule), 0, 0.0
    try:
        output = output_name(claims, rule)
    except UnmeasurableError as error:
        return Finding(claim=claim, status="not measured", detail=str(error))
    for arrays, rows in _batches(claims, rule, point, seed):
        for runner, tolerance in _runners(subject):
            for found in _compared(claims, runner, rule, output, arrays, rows):
                trials, largest = trials + 1, max(largest, found.size)
                if found.size > tolerance:
                    detail = f"{_detail(rule, found)}, at {shown(point.sizes)}"
                    return Finding(claim=claim, status="violated", detail=detail, trials=trials, largest=largest)
    if not trials:
        return Finding(claim=claim, status="not measured", detail=f"no row can be padded at {shown(point.sizes)}")
    return Finding(claim=claim, status="holds", detail=point.note, trials=trials, largest=largest)


def _batches(claims: Claims, rule: Rule, point: Point, seed: int) -> Iterator[tuple[Arrays, list[Place]]]:
    """Padded batches with the places of their valid positions, until every place was tried."""
    assert rule.valid is not None
    _, dim = row_dims(rule)
    found = list(places(rule, point.sizes[dim.name], claims.inputs[rule.valid.name].padding))
    start = 0
    while start < len(found):
        arrays = dict(generate(claims, point.sizes, OPEN, seed + start))
        shape = arrays[rule.valid.name].shape
        rows = found[start : start + shape[0]]
        start += shape[0]
        # A batch with more rows than places repeats them.
        arrays[rule.valid.name] = marked(rule, shape, (rows * shape[0])[: shape[0]])
        yield arrays, rows


def _runners(subject: Subject) -> Iterator[tuple[Runner, float]]:
    """What is run, each with the largest distance that may be rounding: the float64 twin first."""
    if subject.exact is not None:
        yield subject.exact, max(_EXACT, subject.precision.exact)
    yield subject.runner, _LOOSE * max(subject.precision.parity, subject.tolerance)


def _compared(
    claims: Claims, runner: Runner, rule: Rule, output: str, arrays: Arrays, rows: list[Place]
) -> Iterator[RowApart]:
    """How far each row of a batch is from what it is alone; a row that would break a promise alone is left out."""
    padded = np.asarray(runner.run(arrays)[output])
    for row, place in enumerate(rows):
        single = alone(rule, claims.inputs, arrays, row, place)
        if single is not None:
            yield apart(rule, padded, np.asarray(runner.run(single)[output]), row, place)


def _detail(rule: Rule, found: RowApart) -> str:
    place = f"{rule.fields.output}[{', '.join(map(str, found.at))}]"
    return f"of {found}, {place} is {found.found:.4g}, and {found.expected:.4g} alone"
