"""Random graphs: no proof of a symmetry is contradicted by a run, and a wrong trait of an op is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest

from archspec.ir.motion import Lost, Motion, Moves, Still
from archspec.ir.op import Primitive
from archspec.ops.attention.attention import Attention
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.elementwise.binary import Binary
from archspec.ops.reduction.reduce import Reduce
from tests.rules.symmetry_fuzz import run, told


@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 300), marks=pytest.mark.slow)], ids=str)
def test_proofs_hold_on_runs(seeds: range) -> None:
    counts, unsound = run(seeds)
    print(told(counts, unsound))
    assert unsound == []
    # Few are left open, and every outcome is there.
    assert counts["unknown"] < 0.1 * counts.total()
    assert min(counts["proved"], counts["violated"], counts["vacuous"]) > 0


def is_found(seeds: range) -> bool:
    """Whether a run contradicts a proof on the spec of one of some seeds."""
    return any(run([seed])[1] for seed in seeds)


def unbroken(found: Motion) -> Motion:
    return replace(found, broken=None, step=Fraction(ceil(found.step))) if isinstance(found, Moves) else found


def still(found: Motion) -> Motion:
    return Still() if isinstance(found, Lost) else found


@pytest.mark.parametrize(
    ("op", "change"),
    [(Convolution, unbroken), (Binary, unbroken), (Reduce, still)],
)
def test_a_wrong_trait_is_found(
    monkeypatch: pytest.MonkeyPatch, op: type[Primitive], change: Callable[[Motion], Motion]
) -> None:
    right = op.moved
    monkeypatch.setattr(op, "moved", lambda self, *given: tuple(map(change, right(self, *given))))
    assert is_found(range(120))


def test_attention_that_ignores_its_mask_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(self: Attention, operands: list[Motion], *_: object) -> tuple[Motion, ...]:
        return tuple(unbroken(operands[0]) for _ in range(1 + self.weights))

    monkeypatch.setattr(Attention, "moved", moved)
    assert is_found(range(120))
