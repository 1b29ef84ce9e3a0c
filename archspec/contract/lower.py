"""Lower rules: an output position must depend on every input position that the rule names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, repeat

import numpy as np

from archspec.contract.counted import hiding
from archspec.contract.perturb import EXACT_TOLERANCE
from archspec.contract.probes import output_name
from archspec.contract.protocol import Asked, Differentiable, Subject
from archspec.contract.redraw import redraw
from archspec.contract.report import Finding, shown
from archspec.contract.sizes import Point
from archspec.contract.turned import Turned
from archspec.ir.graph import Value
from archspec.model.runner import Array, Arrays, Runner
from archspec.model.samples import OPEN, generate
from archspec.record import record
from archspec.rules.kind import LowerKind, rule_kinds
from archspec.rules.measure import Measured, UnmeasurableError, spaced
from archspec.spec import Rule
from archspec.spec.claims import Claims

_DRAWS = 8
_SINGLE = 48
_TOLERANCE = 1e-9
"""The largest change that does not count as a dependence in float32, used where there is no float64 run."""


def lower(claims: Claims, subject: Subject, rule: Rule, point: Point, seed: int) -> Finding:
    """Check a lower rule, with nothing hidden: by gradients, and what they do not show by changing input positions.

    Args:
        claims: declared inputs and outputs.
        subject: the model.
        rule: a rule of a `LowerKind`.
        point: the sizes, and a limit on the runs.
        seed: seed of the inputs and of their perturbations.

    Returns:
        `violated` with the first pair of positions that shows no dependence; `not measured` where the rule is not
        about inputs and outputs, where an input position has only one value, and where the runner's precision may be
        too low to show the dependence. Positions that were left out are named in the detail.
    """
    claim = str(rule)
    try:
        output = output_name(claims, rule)
        if rule.input.name not in claims.inputs:
            raise UnmeasurableError(f"`{rule.fields.input}` is not an input")
        arrays = generate(claims, point.sizes, OPEN, seed, hiding(claims))
        case = _Case(claims=claims, rule=rule, output=output, arrays=arrays, point=point, seed=seed)
        return case.found(claim, subject)
    except UnmeasurableError as error:
        return Finding(claim=claim, status="not measured", detail=str(error))


@record(eq=False)
class _Case:
    """A lower rule on concrete inputs."""

    claims: Claims
    rule: Rule
    output: str
    arrays: Arrays
    point: Point
    seed: int

    def found(self, claim: str, subject: Subject) -> Finding:
        """The finding: gradients first, then changes. Raises UnmeasurableError."""
        wanted = self.wanted
        asked = self.asked
        missing = np.zeros_like(wanted)
        missing[asked] = wanted[asked]
        part = "" if len(asked) == len(wanted) else f"{len(asked)} of {len(wanted)} output positions"
        missing = self.unreached(subject, missing)
        if not missing.any():
            return Finding(claim=claim, status="holds", detail=self._detail("by gradients", part), trials=1)
        runner = subject.exact or subject.runner
        # In float64 small outputs count as large ones do: fresh weights may scale all of them down.
        precise = (EXACT_TOLERANCE, 0.0) if subject.exact is not None else (_TOLERANCE, 1.0)
        trials, blind, is_partial = self.moved(runner, missing, *precise)
        part = part or ("some input positions" if is_partial else "")
        if blind is None:
            return Finding(claim=claim, status="holds", detail=self._detail("", part), trials=trials)
        detail = f"{blind}, at {shown(self.point.sizes)}"
        if self.is_faint(subject, missing):
            detail += f": {subject.precision.name} may round it away"
            return Finding(claim=claim, status="not measured", detail=detail, trials=trials)
        return Finding(claim=claim, status="violated", detail=detail, trials=trials)

    def _detail(self, how: str, part: str) -> str:
        """The detail of a rule that holds: how it was seen, and what was left out."""
        part = f"only {part} tried at {shown(self.point.sizes)}" if part else ""
        return "; ".join(one for one in (how, self.point.note, part) if one)

    def axes(self, value: Value) -> tuple[int, ...]:
        """The axes of the rule's output or input that number positions."""
        return self.rule.axes[0 if value is self.rule.output else 1]

    @cached_property
    def wanted(self) -> Array:
        """The pairs of positions that must depend on each other: bool [outputs, inputs]."""
        kind = rule_kinds()[self.rule.kind]
        assert isinstance(kind, LowerKind)
        return kind.pairs(self.rule, Measured(arrays=self.arrays, sizes=self.point.sizes))

    @property
    def asked(self) -> Sequence[int]:
        """The output positions that are tried: all, or as many evenly spaced ones as are affordable."""
        # A pass with gradients costs a few runs, in float64 each twice as dear, and serves a position in every row.
        rows = self.arrays[self.rule.input.name].shape[0] if 0 not in self.axes(self.rule.input) else 1
        return spaced(range(len(self.wanted)), max(self.single, self.point.runs // 4 * rows))

    @property
    def single(self) -> int:
        """The number of positions that are tried one by one, where all of them together cost too much."""
        return _SINGLE if self.point.is_main else min(_SINGLE, self.point.runs)

    def others(self) -> Iterator[Arrays]:
        """Other open inputs, for what no dependence was seen of at first.

        Floats and ids are drawn again, because one input may leave every unit on the way at zero, as rectifiers do. A
        position that is picked by a number takes every value in turn. What the rule's own mask reads stays, so that
        the same pairs are expected.
        """
        for turn in range(max(_DRAWS // 2, self.turned.count)):
            yield self.turned.arrays(self.arrays, turn, self.seed + _DRAWS // 2 + turn)

    @cached_property
    def turned(self) -> Turned:
        """The open inputs in turn."""
        return Turned(claims=self.claims, rule=self.rule, sizes=self.point.sizes)

    def unreached(self, subject: Subject, missing: Array) -> Array:
        """Those of the missing pairs that gradients do not show; all of them if there are no gradients."""
        for gradients in subject.gradients:
            # First a position in every row at once, which costs less, then those that are left one by one.
            for is_spread in (True, False):
                missing = self._less(gradients, self.arrays, missing, is_spread)
            for arrays in self.others() if self.turned.count else ():
                missing = self._less(gradients, arrays, missing, is_spread=False)
        return missing

    def _less(self, gradients: Differentiable, arrays: Arrays, missing: Array, is_spread: bool) -> Array:
        """The missing pairs without those that gradients at some inputs show."""
        numbers = [int(number) for number in np.flatnonzero(missing.any(1))]
        numbers = numbers if is_spread else numbers[: self.single]
        if not numbers:
            return missing
        rule = self.rule
        source, result = (rule.input.name, self.axes(rule.input)), (self.output, self.axes(rule.output))
        seen = gradients.dependence(arrays, source, result, self.seed, Asked(numbers=numbers, is_spread=is_spread))
        if seen is None:
            return missing
        left = missing.copy()
        left[numbers] &= ~seen
        return left

    def is_faint(self, subject: Subject, missing: Array) -> bool:
        """Whether the missing dependence may be too weak for the runner's precision.

        Without a float64 twin to compare with, this is assumed for half precision. False if the runner that showed
        nothing was itself a float64 one.
        """
        if subject.exact is not None or subject.twin is None:
            return subject.exact is None and subject.precision.is_half
        return self.moved(subject.twin, missing, subject.precision.faint)[1] is not None

    def moved(
        self, runner: Runner, missing: Array, tolerance: float, least: float = 1.0
    ) -> tuple[int, str | None, bool]:
        """Change input positions: first another one in every row, then those that show too little one at a time.

        Returns:
            the number of runs, a description of the first pair that shows no dependence, or None, and whether positions
            were left out.
        """
        moving = _Moving(case=self, runner=runner, tolerance=tolerance, least=least)
        missing, trials = moving.spread(missing)
        columns = [int(column) for column in np.flatnonzero(missing.any(0))]
        tried = spaced(columns, self.single)
        for column in tried:
            runs, blind = moving.alone(column, missing[:, column])
            trials += runs
            if blind is not None:
                source = f"{self.rule.input.name} position {', '.join(map(str, self.place(column)))}"
                return trials, f"{self.output} position {blind} does not depend on {source}", False
        return trials, None, len(tried) < len(columns)

    def place(self, column: int) -> tuple[int, ...]:
        """The indices of an input position along the rule's axes."""
        shape = self.arrays[self.rule.input.name].shape
        sizes = tuple(shape[axis] for axis in self.axes(self.rule.input))
        return tuple(int(one) for one in np.unravel_index(column, sizes)) if sizes else ()

    def changed(self, arrays: Arrays, columns: Sequence[int], seed: int) -> dict[str, Array] | None:
        """The inputs with other values at one position in all rows, or at another one in each. None if none differ."""
        name = self.rule.input.name
        array = arrays[name]
        at = np.zeros(array.shape, dtype=bool)
        for row, column in enumerate(columns):
            # A position is changed with all its features.
            index: list[int | slice] = [slice(None)] * array.ndim
            for axis, number in zip(self.axes(self.rule.input), self.place(column), strict=True):
                index[axis] = number
            if len(columns) > 1:
                index[0] = row
            at[tuple(index)] = True
        generator = np.random.default_rng(seed)
        made = redraw(self.claims, self.claims.inputs[name], array, at, self.point.sizes, generator)
        return None if made is None else {**arrays, name: made}


@record(eq=False)
class _Moving:
    """A lower rule that is tried by changing input positions, on one runner.

    A position has moved if it differs by more than `tolerance`, relative to the output's largest value or to `least`.
    """

    case: _Case
    runner: Runner
    tolerance: float
    least: float

    def spread(self, missing: Array) -> tuple[Array, int]:
        """Change another position in every row. Returns the pairs that are left, and the number of runs."""
        case, columns = self.case, [int(column) for column in np.flatnonzero(missing.any(0))]
        array, positions = (
            case.arrays[case.rule.input.name],
            (*case.axes(case.rule.input), *case.axes(case.rule.output)),
        )
        rows = array.shape[0] if 0 not in positions and array.ndim else 1
        groups = [columns[start : start + rows] for start in range(0, len(columns), rows)]
        left, trials = missing.copy(), 0
        before = self.before
        # Each row tries another position, which only an output with the same rows can distinguish.
        for group in spaced(groups, case.point.runs) if rows > 1 and before.shape[:1] == (rows,) else ():
            changed = case.changed(case.arrays, group, case.seed) if len(group) > 1 else None
            if changed is None:
                continue
            moved, trials = self.moved(before, self.outputs(changed)), trials + 1
            for row, column in enumerate(group):
                left[:, column] &= ~moved[row]
        return left, trials

    def alone(self, column: int, missing: Array) -> tuple[int, int | None]:
        """Change one position in all rows, on several inputs. Returns the number of runs, and a blind output position.

        Raises UnmeasurableError if the position has no other values.
        """
        case, trials = self.case, 0
        # One after the other: the first inputs show most dependences, and others take long to draw.
        for number, arrays in enumerate(chain(repeat(case.arrays, _DRAWS // 2), case.others())):
            changed = case.changed(arrays, [column], case.seed + number)
            if changed is None:
                raise UnmeasurableError(f"nothing can change in `{case.rule.input.name}` at {case.place(column)}")
            before = self.before if arrays is case.arrays else self.outputs(arrays)
            # Every row is one more trial, because the input position changes in all of them.
            missing = missing & ~self.moved(before, self.outputs(changed)).any(0)
            trials += 1
            if not missing.any():
                return trials, None
        return trials, int(np.flatnonzero(missing)[0])

    @cached_property
    def before(self) -> Array:
        """The rule's output on the inputs of the case."""
        return self.outputs(self.case.arrays)

    def outputs(self, arrays: Arrays) -> Array:
        """The rule's output on some inputs."""
        return self.runner.run(arrays)[self.case.output]

    def moved(self, before: Array, after: Array) -> Array:
        """Whether each output position moved, by row: bool [rows, positions]."""
        kept = self.case.axes(self.case.rule.output)
        scale = max(self.least, float(np.abs(before).max(initial=0.0)))
        apart = np.abs(after.astype(np.float64) - before.astype(np.float64)) > self.tolerance * scale
        rest = tuple(axis for axis in range(1, apart.ndim) if axis not in kept)
        found: Array = np.asarray(apart.any(rest))
        return found.reshape(1 if 0 in kept or not found.ndim else len(found), -1)
