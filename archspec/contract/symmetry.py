"""Checks rules on symmetry: inputs are moved, and outputs must move with them or stay the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archspec.contract.perturb import EXACT_TOLERANCE
from archspec.contract.probes import output_name
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.contract.sizes import Point, Sizes, lengths
from archspec.ir.motion import Moves
from archspec.model.runner import Arrays, Runner
from archspec.model.samples import generate, patterns
from archspec.record import record
from archspec.rules.kind import rule_kinds
from archspec.rules.measure import Measured, UnmeasurableError
from archspec.rules.moves import Trial, apart, entered, moved, room, trials
from archspec.rules.symmetric import SymmetricKind, motion_of
from archspec.rules.wiring.values import keeps
from archspec.spec import Rule
from archspec.spec.claims import Claims

# Sums in another order round otherwise, and more of them than a perturbation leaves alone.
_EXACT = 1e4 * EXACT_TOLERANCE
_LOOSE = 10
# The values that enter at the ends are drawn with other seeds than any pattern of padding.
_ENTERING = 1000


def symmetric(claims: Claims, subject: Subject, rule: Rule, point: Point, seed: int) -> Finding:
    """Check a rule on symmetry at one point.

    Args:
        claims: declared inputs and outputs.
        subject: the model.
        rule: a rule of a `SymmetricKind`.
        point: the sizes; at the main point all padding patterns are run.
        seed: seed of the inputs.

    Returns:
        `violated` with the output element that is farthest from where it should be, `holds` if something could be
        moved, else `not measured`.

    Raises:
        SpecError: if the model fails to run.
    """
    kind = rule_kinds()[rule.kind]
    assert isinstance(kind, SymmetricKind)
    try:
        return _Moving(claims=claims, subject=subject, rule=rule, seed=seed).found(point, kind)
    except UnmeasurableError as error:
        return Finding(claim=str(rule), status="not measured", detail=str(error))


@record(eq=False)
class _Moving:
    """A subject whose input is moved, and the rule that is judged."""

    claims: Claims
    subject: Subject
    rule: Rule
    seed: int

    def found(self, point: Point, kind: SymmetricKind) -> Finding:
        """Run the moves up to the first output that is not where it should be. Raises UnmeasurableError."""
        claim, count, largest = str(self.rule), 0, 0.0
        output_name(self.claims, self.rule)
        if self.rule.input.name not in self.claims.inputs:
            raise UnmeasurableError(f"`{self.rule.fields.input}` is not an input")
        motion = self._field(kind)
        sizes = self._sizes(point, motion)
        for arrays, fresh in self._inputs(point, sizes):
            for trial in trials(self.rule, sizes, motion):
                # Under a cyclic move, a statistic over all positions would stay the same.
                given = self._moved(arrays, None if motion is None else fresh, trial)
                if given is None:
                    continue
                count += 1
                for runner, tolerance in self._runners():
                    far, detail = self._apart(runner, arrays, given, trial, sizes)
                    largest = max(largest, far)
                    if far > tolerance:
                        where = f"{detail}, at {shown(sizes)}"
                        return Finding(claim=claim, status="violated", detail=where, trials=count, largest=largest)
        if not count:
            return Finding(claim=claim, status="not measured", detail=f"nothing can move at {shown(sizes)}")
        return Finding(claim=claim, status="holds", detail=kind.promise(self.rule), trials=count, largest=largest)

    def _field(self, kind: SymmetricKind) -> Moves | None:
        """How the output moves, where only positions count whose field is inside. Raises UnmeasurableError."""
        if kind.circular(self.rule):
            return None
        spec = self.claims.spec
        if spec is None:
            raise UnmeasurableError("without a graph the field of a position is not known: use `border: circular`")
        found = motion_of(spec.graph, self.rule, circular=False)
        if not isinstance(found, Moves):
            raise UnmeasurableError(f"the field of `{self.rule.fields.output}` is not known")
        return found

    def _sizes(self, point: Point, motion: Moves | None) -> Sizes:
        """The sizes of the point, or at the main one larger ones, at which the field of a position fits inside."""
        if motion is None or not point.is_main or list(trials(self.rule, point.sizes, motion)):
            return dict(point.sizes)
        return lengths(self.claims, room(motion))

    def _inputs(self, point: Point, sizes: Sizes) -> Iterator[tuple[Arrays, Arrays]]:
        """The inputs, and others whose values may enter: under every padding pattern at the main point."""
        known = patterns(self.claims)
        for number, pattern in enumerate(known if point.is_main else known[:1]):
            seed = self.seed + number
            yield generate(self.claims, sizes, pattern, seed), generate(self.claims, sizes, pattern, seed + _ENTERING)

    def _moved(self, arrays: Arrays, fresh: Arrays | None, trial: Trial) -> Arrays | None:
        """The inputs with the rule's own one moved, with fresh values if any; None where that breaks a promise."""
        name, (axis,) = self.rule.input.name, self.rule.axes[1]
        given, array = self.claims.inputs[name], moved(arrays[name], axis, trial.by)
        array = array if fresh is None else entered(array, fresh[name], axis, trial.by)
        if not keeps(array, given.padding, given.sorted):
            return None
        return {**arrays, name: np.ascontiguousarray(array)}

    def _runners(self) -> Iterator[tuple[Runner, float]]:
        """What is run, each with the largest distance that may be rounding: the float64 twin first."""
        if self.subject.exact is not None:
            yield self.subject.exact, max(_EXACT, self.subject.precision.exact)
        yield self.subject.runner, _LOOSE * max(self.subject.precision.parity, self.subject.tolerance)

    def _apart(self, runner: Runner, arrays: Arrays, given: Arrays, trial: Trial, sizes: Sizes) -> tuple[float, str]:
        """The largest distance of an output element from where it should be, and the element in words."""
        rule, name = self.rule, output_name(self.claims, self.rule)
        before, after = runner.run(arrays)[name], runner.run(given)[name]
        found = apart(rule, trial, before, after, Measured(arrays=arrays, sizes=sizes))
        if not found.size:
            return 0.0, ""
        at = np.unravel_index(int(found.argmax()), found.shape)
        wanted = before if trial.kept is None else moved(before, rule.axes[0][0], trial.out)
        place = f"{name}[{', '.join(str(int(k)) for k in at)}]"
        change = f"where {rule.input.name} moves by {trial.by} along axis {rule.axes[1][0]}"
        return float(found.max()), f"{place} is {after[at]:.4g}, expected {wanted[at]:.4g}, {change}"
