"""What an original gives on inputs that the promises of a spec generate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from archspec.contract.held import Recording
from archspec.contract.protocol import Subject
from archspec.contract.sizes import affordable, longest, points, probe
from archspec.diagnostics import SpecError
from archspec.model.runner import Array, Arrays
from archspec.model.samples import generate, patterns
from archspec.spec.claims import Claims

_NO_ORIGINAL = "empty row"
"""A sequence without one valid position means nothing, and every implementation gives something else for it."""
_POINTS = 2


def recorded(
    claims: Claims,
    original: Subject,
    outputs: Iterable[str],
    seed: int = 0,
    prepared: Callable[[Arrays], Arrays] = lambda arrays: arrays,
) -> list[Recording]:
    """Run an original at two small sizes and at the longest, under every padding pattern that the promises admit.

    Weights of positions, such as a learned table, are read by long inputs alone.

    Args:
        claims: declared sizes, inputs and rules.
        original: the model; without a float64 runner, or where that fails, recordings are in float32 alone.
        outputs: names of the outputs to keep.
        seed: seed of the first inputs; the n-th pattern uses `seed + n`.
        prepared: makes inputs, which both models get, such as the original understands.

    Raises:
        SpecError: if the original fails to run.
    """
    names, made = tuple(outputs), []
    for sizes in _sizes(claims):
        for number, pattern in enumerate(one for one in patterns(claims) if one != _NO_ORIGINAL):
            arrays = prepared(generate(claims, sizes, pattern, seed + number))
            found, exact = original.runner.run(arrays), _exact(original, arrays)
            note = "" if pattern == "whole" else f", {_PADDED[pattern]}"
            kept = [{name: one[name] for name in names if name in one} for one in (found, exact)]
            made.append(Recording(inputs=arrays, sizes=sizes, outputs=kept[0], exact=kept[1], note=note))
    return made


_PADDED = {"right": "padded on the right", "left": "padded on the left", "scattered": "valid here and there"}


def _exact(original: Subject, arrays: Arrays) -> dict[str, Array]:
    """The outputs in float64; none if the original has no such runner, or it fails."""
    if original.exact is None:
        return {}
    try:
        return original.exact.run(arrays)
    except SpecError:
        return {}


def _sizes(claims: Claims) -> list[Mapping[str, int]]:
    """The main small sizes of the contract, others where the ranges admit any that are affordable, and the longest."""
    known = points(claims)
    ordered = [probe(claims), *(known[name] for name in ("prime", "typical", "least", "largest") if name in known)]
    found: list[Mapping[str, int]] = []
    for sizes in ordered:
        if sizes not in found and affordable(claims, sizes):
            found.append(sizes)
    last = longest(claims)
    return [*found[:_POINTS], *([last] if last not in found[:_POINTS] else [])]
