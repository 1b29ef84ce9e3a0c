"""Checks that apply to every model, whatever its rules: declared shapes and dtypes, finite and repeatable outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from archspec.contract.counted import counted, over
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.contract.sizes import affordable, points
from archspec.ir.types import DType
from archspec.model.runner import Arrays
from archspec.model.samples import generate, patterns
from archspec.spec.claims import Claims

_KINDS = {DType.FLOAT: "f", DType.INT64: "iu", DType.INT32: "iu", DType.BOOL: "b"}


def basics(claims: Claims, subject: Subject, seed: int) -> Iterator[Finding]:
    """Check shapes, finiteness and determinism at the sizes of `points`, under every padding pattern of the inputs.

    Args:
        claims: declared sizes, inputs and outputs.
        subject: the model; only its runner is used.
        seed: seed of the first inputs; the n-th pattern uses `seed + n`.

    Returns:
        one finding each for `shapes`, `finite` and `deterministic`, with the first problem found. Sizes that are too
        large to run are skipped and named in the detail of `shapes`.

    Raises:
        SpecError: where the model fails to run.
    """
    # Of each claim the first problem is told.
    wrong: dict[str, str] = {}
    skipped: list[str] = []
    trials = 0
    for name, sizes in points(claims).items():
        if not affordable(claims, sizes):
            skipped.append(name)
            continue
        for number, pattern in enumerate(patterns(claims)):
            arrays = generate(claims, sizes, pattern, seed + number)
            trials += 1
            for claim, detail in _problems(claims, subject, arrays, sizes):
                wrong.setdefault(claim, f"{detail}, at {shown(sizes)}")
    note = f"too large to run here: {', '.join(skipped)} sizes" if skipped else ""
    for claim in ("shapes", "finite", "deterministic"):
        if claim in wrong:
            yield Finding(claim=claim, status="violated", detail=wrong[claim], trials=trials)
        else:
            yield Finding(claim=claim, status="holds", detail=note if claim == "shapes" else "", trials=trials)


def _problems(claims: Claims, subject: Subject, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Run the model twice on the same inputs; yields pairs of claim and detail."""
    first, again = subject.runner.run(arrays), subject.runner.run(arrays)
    for name, value in claims.outputs.items():
        array, shape = first[name], tuple(dim.value(sizes) for dim in value.type.shape)
        if array.shape != shape or array.dtype.kind not in _KINDS[value.type.dtype]:
            yield "shapes", f"`{name}` is {array.dtype} {list(array.shape)}, declared {value.type} {list(shape)}"
        wrong = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, dtype=bool)
        if claims.spec is None and array.shape == shape:
            # A user's model may leave NaN at padding, which no rule covers; a compiled module must be finite there too.
            wrong &= over(counted(claims, arrays, sizes)[name], shape)
        if wrong.any():
            place = [int(index) for index in np.argwhere(wrong)[0]]
            yield "finite", f"`{name}` is {array[tuple(place)]} at {place}"
        # NaN on both sides is no sign of chance: `finite` reports it.
        if not np.array_equal(array, again[name], equal_nan=array.dtype.kind == "f"):
            yield "deterministic", f"`{name}` differs between two runs on the same inputs"
