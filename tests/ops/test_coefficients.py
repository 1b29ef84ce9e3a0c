"""What an op says of its coefficients is what second differences find: zero where an effect depends on nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from archspec.ir.op import Coefficients
from archspec.ir.types import DType
from archspec.ops.linear.linear import Linear
from archspec.ops.registry import all_primitives
from tests.ops.case import Case, all_cases

CASES = all_cases()
_TRIALS = 12
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Trial:
    """The values of one run of a case, and other ones for every operand."""

    case: Case
    rng: np.random.Generator

    def moves(self, changed: int, other: int) -> bool:
        """Whether the effect of a change of one operand depends on another one, or on itself, for random values."""
        parameters, values = self.case.parameters(self.rng), self.case.values(self.rng)
        first, second = self.case.values(self.rng)[changed], self.case.values(self.rng)[other]
        corners = []
        for one in (False, True):
            for two in (False, True):
                given = list(values)
                if changed == other:
                    given[changed] = values[changed] + one * first + two * second
                else:
                    given[changed] = first if one else values[changed]
                    given[other] = second if two else values[other]
                corners.append(self.case.op.reference(given, parameters, self.case.sizes))
        return any(_differs(*results) for results in zip(*corners, strict=True))


def _differs(*corners: np.ndarray) -> bool:
    base, second, first, both = (np.asarray(result, dtype=np.float64) for result in corners)
    known = np.isfinite(base) & np.isfinite(first) & np.isfinite(second) & np.isfinite(both)
    far = np.abs(both - first - second + base)[known]
    return bool((far > _ROUNDING * (1 + np.abs(both).max(initial=0, where=known))).any())


def pairs(case: Case) -> Iterator[tuple[int, int]]:
    """Pairs of operands; an operand with itself only where it can be added to."""
    for changed in range(len(case.inputs)):
        for other in range(len(case.inputs)):
            if changed != other or case.inputs[changed].dtype is DType.FLOAT:
                yield changed, other


FOUND: dict[str, dict[tuple[int, int], bool]] = {}


def found(case: Case) -> dict[tuple[int, int], bool]:
    """For each pair, whether the effect of the first operand depends on the second."""
    if str(case) not in FOUND:
        rng = np.random.default_rng(zlib.crc32(str(case).encode()))
        trials = {pair: any(Trial(case, rng).moves(*pair) for _ in range(_TRIALS)) for pair in pairs(case)}
        FOUND[str(case)] = trials
    return FOUND[str(case)]


def wrong(case: Case, told: Coefficients) -> list[str]:
    """What is declared to be independent and is not."""
    return [
        f"the effect of operand {changed} depends on operand {other}"
        for (changed, other), moves in found(case).items()
        if moves and other not in told[changed]
    ]


def needless(cases: Sequence[Case]) -> set[tuple[int, int]]:
    """Pairs that some case declares dependent, and none of them shows to be."""
    declared, shown = set(), set()
    for case in cases:
        told = case.op.coefficients(case.inputs)
        assert told is not None
        declared |= {pair for pair in pairs(case) if pair[1] in told[pair[0]]}
        shown |= {pair for pair, moves in found(case).items() if moves}
    return declared - shown


@pytest.mark.parametrize("case", CASES, ids=str)
def test_coefficients_are_what_second_differences_find(case: Case) -> None:
    told = case.op.coefficients(case.inputs)
    assert told is not None, "every op of the language says how it depends on its operands"
    assert len(told) == len(case.inputs)
    assert wrong(case, told) == []


@pytest.mark.parametrize("name", sorted(all_primitives()))
def test_no_op_declares_a_dependence_that_none_of_its_cases_has(name: str) -> None:
    assert needless([case for case in CASES if case.op.name == name]) == set()


@pytest.mark.parametrize("name", sorted(all_primitives()))
def test_every_pair_of_a_trait_made_wrong_is_found(name: str) -> None:
    """Flipped one by one: a dependence left out is found in some case."""
    own = [case for case in CASES if case.op.name == name]
    seen = {pair for case in own for pair, moves in found(case).items() if moves}
    for changed, other in seen:
        assert any(wrong(case, _without(case, changed, other)) for case in own if (changed, other) in pairs(case))


def _without(case: Case, changed: int, other: int) -> Coefficients:
    told = case.op.coefficients(case.inputs)
    assert told is not None
    return tuple(own - {other} if number == changed else own for number, own in enumerate(told))


def test_an_op_that_declares_nothing_is_neither() -> None:
    class Unknown(Linear):
        acts = None

    case = next(case for case in CASES if case.op.name == "linear")
    assert Unknown(out=case.op.out).coefficients(case.inputs) is None


@pytest.mark.parametrize("case", [case for case in CASES if case.op.selects], ids=str)
def test_a_maximum_is_one_of_its_entries(case: Case) -> None:
    assert all(_picks(case, seed) for seed in range(4))


def test_only_maxima_select() -> None:
    """Of the ops whose result may be any of several entries, those that weigh them are found out."""
    assert {case.op.name for case in CASES if case.op.selects} == {"reduce", "window_pool", "masked_pool"}
    for case in CASES:
        if case.op.name in ("reduce", "window_pool", "masked_pool") and getattr(case.op, "kind", "") in ("mean", "sum"):
            assert not all(_picks(case, seed) for seed in range(12))


def _picks(case: Case, seed: int) -> bool:
    """Whether every entry of the result is an entry of the operand, or the zero of a row without one."""
    rng = np.random.default_rng(seed)
    values = case.values(rng)
    (result,) = case.op.reference(values, case.parameters(rng), case.sizes)
    return bool(np.isin(result, [*values[0].reshape(-1), 0.0]).all())


RESCALING = {"layer_norm", "rms_norm", "group_norm", "l2_normalize"}


@pytest.mark.parametrize("name", sorted({"batch_norm", "linear", "activation", *RESCALING}))
def test_entries_that_a_norm_rescales_stay_where_they_are(name: str) -> None:
    """Where one entry depends on another one, exchanging the two exchanges the results; weights are all the same."""
    own = [case for case in CASES if case.op.name == name]
    assert {case.op.rescales for case in own} == {name in RESCALING}
    exchanged = [one for case in own for one in _exchanged(case)]
    assert (bool(exchanged) and all(exchanged)) == (name in RESCALING)


def test_only_norms_rescale() -> None:
    assert {op.name for op in all_primitives().values() if op.rescales} == RESCALING


def _exchanged(case: Case) -> Iterator[bool]:
    """For pairs of entries of which one depends on the other, whether the results change places as they do."""
    rng = np.random.default_rng(0)
    parameters = {name: np.full_like(value, 0.7) for name, value in case.parameters(rng).items()}
    values = case.values(rng)
    run = lambda x: case.op.reference([x, *values[1:]], parameters, case.sizes)[0]  # noqa: E731
    x, y = values[0], run(values[0])
    for one, two in rng.integers(x.size, size=(60, 2)):
        moved, turned = x.copy(), x.copy()
        moved.flat[two] += 1
        turned.flat[[one, two]] = x.flat[[two, one]]
        if one != two and y.shape == x.shape and abs(run(moved).flat[one] - y.flat[one]) > _ROUNDING:
            wanted = y.copy()
            wanted.flat[[one, two]] = y.flat[[two, one]]
            yield bool(np.abs(run(turned) - wanted).max() < _ROUNDING and y.flat[one] != y.flat[two])
