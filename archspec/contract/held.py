"""Comparison of a model with the original that its weights come from, on inputs and outputs that the original gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from archspec.contract.counted import counted, over
from archspec.contract.difference import Apart, difference
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.model.runner import Array, Arrays
from archspec.record import record
from archspec.spec.claims import Claims

CLAIM = "equal to the original"
UNTIED = "the weights were not compared with their original"
_FLOAT64 = 8
"""Bytes."""
EXACT = 1e-9
"""The tolerance in float64, relative to the output's largest value."""


@record(eq=False)
class Recording:
    """What the original gave: all inputs, and some outputs, in float32 and, where it ran in float64, in float64.

    `inputs` have their floats in the most precise dtype known; `note` says which inputs these are.
    """

    inputs: Arrays
    sizes: Mapping[str, int]
    outputs: Arrays
    exact: Arrays
    note: str = ""


@record
class Mismatch:
    """An output's element that differs most from the original's, with both values and where it was found.

    `share` is the difference relative to the largest value that the original gave for this output.
    """

    output: str
    place: tuple[int, ...]
    found: str
    wanted: str
    share: float
    how: str

    def __str__(self) -> str:
        """The mismatch in one sentence."""
        at = f"{self.output}[{', '.join(map(str, self.place))}]" if self.place else self.output
        return f"`{at}` is {self.found}, the original has {self.wanted}{self._apart}, {self.how}"

    @property
    def _apart(self) -> str:
        """How far apart both are; nothing where a value is not finite, or the shapes differ."""
        return f": apart by {self.share:.2g} of the output's largest value" if np.isfinite(self.share) else ""


@record
class Held:
    """The result of a comparison: what differs in the first recording that differs, and the largest differences.

    `largest` and `exact` are relative to the largest value of an output; `exact`, in float64, is None where nothing
    was compared in float64. `compared` names the outputs that had positions to compare and more than one value there:
    `constant` are those that had one value alone, which tells nothing of weights. `is_partial` says that the rules
    excluded positions. `sizes` are those of the recordings, each once.
    """

    mismatches: tuple[Mismatch, ...]
    trials: int
    largest: float
    exact: float | None
    compared: frozenset[str]
    constant: frozenset[str] = frozenset()
    is_partial: bool = False
    sizes: tuple[str, ...] = ()

    def finding(self) -> Finding:
        """The result as a finding of the contract."""
        if self.mismatches:
            worst = max(self.mismatches, key=lambda one: one.share)
            return Finding(claim=CLAIM, status="violated", detail=str(worst), trials=self.trials, largest=self.largest)
        same = [f"`{name}` has one value everywhere, which tells nothing" for name in sorted(self.constant)]
        if not self.compared:
            detail = "; ".join(same) or "the rules exclude every position"
            return Finding(claim=CLAIM, status="not measured", detail=detail)
        parts = ["in float32 alone" if self.exact is None else f"in float64 up to {self.exact:.1e}", *same]
        if self.is_partial:
            parts.append("without the positions that rules exclude with `where`")
        detail = "; ".join([*parts, f"at {' and '.join(self.sizes)}"])
        return Finding(claim=CLAIM, status="holds", detail=detail, trials=self.trials, largest=self.largest)


def hold(claims: Claims, subject: Subject, recordings: Sequence[Recording]) -> Held:
    """Compare a model with what its original gave, at the positions that count.

    Positions that a rule of the spec excludes (`where`, such as padding in `ignores`) are not compared: the spec
    promises nothing for them. In float32 the tolerance is that of the subject's precision, in float64 `EXACT`, both
    relative to the largest value of the output. A value that is not finite equals nothing.

    Args:
        claims: declared outputs and rules.
        subject: the model. Its float64 runner is used only after its own runner has seen every recording.
        recordings: what the original gave.

    Raises:
        SpecError: if the model fails to run.
    """
    compared: set[str] = set()
    found = _pass(claims, subject, recordings, False, compared)
    exact = _pass(claims, subject, recordings, True, compared) if subject.exact is not None else ()
    constant = frozenset(name for name in compared if _is_constant(claims, recordings, name))
    return Held(
        mismatches=_wrong(found, subject.precision.parity) or _wrong(exact, EXACT),
        trials=len(recordings),
        largest=_largest(found) or 0.0,
        exact=_largest(exact),
        compared=frozenset(compared) - constant,
        constant=constant,
        is_partial=any(_excludes(claims, one) for one in recordings),
        sizes=tuple(dict.fromkeys(shown(one.sizes) for one in recordings)),
    )


def _excludes(claims: Claims, one: Recording) -> bool:
    """Whether some positions of an output that was recorded do not count."""
    positions = counted(claims, one.inputs, one.sizes)
    return not all(positions[name].all() for name in one.outputs)


def _is_constant(claims: Claims, recordings: Sequence[Recording], name: str) -> bool:
    """Whether an output with several elements has one value at all positions that count, in all recordings."""
    values: set[object] = set()
    elements = 0
    for one in recordings:
        array = one.outputs.get(name)
        if array is None:
            continue
        positions = counted(claims, one.inputs, one.sizes)[name]
        chosen = array[over(positions, array.shape)] if _fits(positions, array) else array
        elements += chosen.size
        values.update(np.unique(chosen)[:2].tolist())
    return elements > 1 and len(values) == 1


_Pass = Sequence[Sequence[Mismatch]]
"""The largest difference of every output that was compared in one precision, recording by recording."""


def _pass(
    claims: Claims, subject: Subject, recordings: Sequence[Recording], is_exact: bool, compared: set[str]
) -> _Pass:
    """Compare in one precision; adds the outputs that had positions to compare."""
    runner = subject.exact if is_exact else subject.runner
    made: list[Sequence[Mismatch]] = []
    for one in recordings:
        wanted = one.exact if is_exact else one.outputs
        if not wanted:
            continue
        assert runner is not None
        how = f"{'in float64, ' if is_exact else ''}at {shown(one.sizes)}{one.note}"
        made.append(tuple(_differences(claims, one, runner.run(one.inputs), wanted, how)))
        compared.update(each.output for each in made[-1])
    return made


def _wrong(found: _Pass, allowed: float) -> tuple[Mismatch, ...]:
    """What differs by more than is allowed in the first recording in which anything does."""
    wrong = (tuple(each for each in one if not each.share <= allowed) for one in found)
    return next((one for one in wrong if one), ())


def _largest(found: _Pass) -> float | None:
    """The largest difference; None if nothing was compared."""
    return max((each.share for one in found for each in one), default=None)


def _differences(claims: Claims, one: Recording, found: Arrays, wanted: Arrays, how: str) -> Iterator[Mismatch]:
    """Yield the largest difference of each output that has a position to compare."""
    positions = counted(claims, one.inputs, one.sizes)
    for name, expected in wanted.items():
        counts = over(positions[name], expected.shape) if _fits(positions[name], expected) else None
        if counts is not None and not counts.any():
            continue
        apart = difference(found[name], expected, counts)
        share = _share(apart, expected)
        values = _values(found[name], expected, apart)
        yield Mismatch(output=name, place=apart.place, found=values[0], wanted=values[1], share=share, how=how)


def _fits(positions: Array, expected: Array) -> bool:
    """Whether positions can be broadcast over an output; not so for an output of another shape than declared."""
    if positions.ndim > expected.ndim:
        return False
    return all(size in (1, other) for size, other in zip(positions.shape, expected.shape, strict=False))


def _share(apart: Apart, expected: Array) -> float:
    """A difference relative to the output's largest value; any counts as 1 for an output that is not float."""
    if not apart.largest:
        return 0.0
    if expected.dtype.kind != "f":
        return 1.0
    return apart.largest / apart.scale if apart.scale else float("inf")


def _values(found: Array, expected: Array, apart: Apart) -> tuple[str, str]:
    """Both values as text, or both shapes where they differ."""
    if found.shape != expected.shape:
        return f"of shape {list(found.shape)}", f"{list(expected.shape)}"
    one, other = found[apart.place], expected[apart.place]
    if expected.dtype.kind != "f" or found.dtype.kind != "f":
        return str(one), str(other)
    # As many digits as the less precise of both has.
    digits = 17 if min(one.itemsize, other.itemsize) == _FLOAT64 else 9
    return f"{float(one):.{digits}g}", f"{float(other):.{digits}g}"
