"""Lower rules: an output position must depend on every input position that the rule names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.contract.counted import hiding
from archspec.contract.perturb import EXACT_TOLERANCE
from archspec.contract.positions import chosen, places
from archspec.contract.probes import output_name
from archspec.contract.protocol import Subject
from archspec.contract.redraw import redraw
from archspec.contract.report import Finding, shown
from archspec.ir.graph import Value
from archspec.model.runner import Array, Arrays, Runner
from archspec.model.samples import OPEN, generate
from archspec.record import record
from archspec.rules.kind import LowerKind, rule_kinds
from archspec.rules.measure import Measured, UnmeasurableError
from archspec.spec import Rule
from archspec.spec.claims import Claims

_DRAWS = 8
_TOLERANCE = 1e-9
"""The largest change that does not count as a dependence in float32, used where there is no float64 run."""


def lower(claims: Claims, subject: Subject, rule: Rule, sizes: Mapping[str, int], seed: int) -> Finding:
    """Check a lower rule, with nothing hidden: by gradients, or else by changing one input position at a time.

    Args:
        claims: declared inputs and outputs.
        subject: the model.
        rule: a rule of a `LowerKind`.
        sizes: the size of each dim.
        seed: seed of the inputs and of their perturbations.

    Returns:
        `violated` with the first pair of positions that shows no dependence; `not measured` where the rule is not
        about inputs and outputs, where an input position has only one value, and where the runner's precision may be
        too low to show the dependence.
    """
    claim = str(rule)
    try:
        output = output_name(claims, rule)
        if rule.input.name not in claims.inputs:
            raise UnmeasurableError(f"`{rule.fields.input}` is not an input")
        arrays = generate(claims, sizes, OPEN, seed, hiding(claims))
        case = _Case(claims=claims, rule=rule, output=output, arrays=arrays, sizes=sizes, seed=seed)
        if case.reached(subject):
            return Finding(claim=claim, status="holds", detail="by gradients", trials=1)
        runner = subject.exact or subject.runner
        # In float64 small outputs count as large ones do: fresh weights may scale all of them down.
        precise = (EXACT_TOLERANCE, 0.0) if subject.exact is not None else (_TOLERANCE, 1.0)
        trials, blind = case.moved(runner, *precise)
        lost = blind is not None and case.is_faint(subject)
    except UnmeasurableError as error:
        return Finding(claim=claim, status="not measured", detail=str(error))
    if blind is None:
        return Finding(claim=claim, status="holds", trials=trials)
    detail = f"{blind}, at {shown(sizes)}"
    if lost:
        detail += f": {subject.precision.name} may round it away"
        return Finding(claim=claim, status="not measured", detail=detail, trials=trials)
    return Finding(claim=claim, status="violated", detail=detail, trials=trials)


@record(eq=False)
class _Case:
    """A lower rule on concrete inputs."""

    claims: Claims
    rule: Rule
    output: str
    arrays: Arrays
    sizes: Mapping[str, int]
    seed: int

    def axes(self, value: Value) -> tuple[int, ...]:
        """The axes of the rule's output or input that number positions."""
        return self.rule.axes[0 if value is self.rule.output else 1]

    def wanted(self) -> Array:
        """The pairs of positions that must depend on each other: bool [outputs, inputs]."""
        kind = rule_kinds()[self.rule.kind]
        assert isinstance(kind, LowerKind)
        return kind.pairs(self.rule, Measured(arrays=self.arrays, sizes=self.sizes))

    def reached(self, subject: Subject) -> bool:
        """Whether gradients show every dependence that the rule requires; False if there are no gradients."""
        gradients = None if subject.gradients is None else subject.gradients()
        if gradients is None:
            return False
        name, rule = self.rule.input.name, self.rule
        source, result = (name, self.axes(rule.input)), (self.output, self.axes(rule.output))
        seen = gradients.dependence(self.arrays, source, result, self.seed)
        if seen is None:
            return False
        wanted = self.wanted()
        return not (wanted[chosen(wanted.shape[0])] & ~seen).any()

    def is_faint(self, subject: Subject) -> bool:
        """Whether the missing dependence may be too weak for the runner's precision.

        Without a float64 twin to compare with, this is assumed for half precision. False if the runner that showed
        nothing was itself a float64 one.
        """
        if subject.exact is not None or subject.twin is None:
            return subject.exact is None and subject.precision.is_half
        return self.moved(subject.twin, subject.precision.faint)[1] is not None

    def moved(self, runner: Runner, tolerance: float, least: float = 1.0) -> tuple[int, str | None]:
        """Change input positions one at a time, up to `_DRAWS` times each.

        Returns:
            the number of runs, and a description of the first pair that shows no dependence, or None.
        """
        before = runner.run(self.arrays)[self.output]
        rule, trials = self.rule, 0
        wanted = self.wanted()
        shape = self.arrays[rule.input.name].shape
        places_and_numbers = zip(places(shape, self.axes(rule.input)), chosen(wanted.shape[1]), strict=True)
        for place, number in places_and_numbers:
            missing = wanted[:, number]
            for draw in range(_DRAWS):
                # One input may leave every unit on the way at zero, as rectifiers do: the later draws change them all.
                base = self.arrays if draw < _DRAWS // 2 else self.elsewhere(self.seed + draw)
                start = before if draw < _DRAWS // 2 else runner.run(base)[self.output]
                after = runner.run(self.changed(base, place, self.seed + draw))[self.output]
                trials += 1
                missing = missing & ~_moved(start, after, self.axes(rule.output), tolerance, least)
                if not missing.any():
                    break
            else:
                blind = int(np.argwhere(missing)[0][0])
                source = f"{rule.input.name} position {', '.join(map(str, place))}"
                return trials, f"{self.output} position {blind} does not depend on {source}"
        return trials, None

    def elsewhere(self, seed: int) -> Arrays:
        """The inputs with other floats everywhere; what masks read stays, so that the same pairs are expected."""
        drawn = generate(self.claims, self.sizes, OPEN, seed, hiding(self.claims))
        return {name: drawn[name] if array.dtype.kind == "f" else array for name, array in self.arrays.items()}

    def changed(self, arrays: Arrays, place: tuple[int, ...], seed: int) -> dict[str, Array]:
        """The inputs with other values at one position. Raises UnmeasurableError if there are no other values."""
        name = self.rule.input.name
        array = arrays[name]
        at = np.zeros(array.shape, dtype=bool)
        # The position is changed in all rows, and with all its features.
        index: list[int | slice] = [slice(None)] * array.ndim
        for axis, number in zip(self.axes(self.rule.input), place, strict=True):
            index[axis] = number
        at[tuple(index)] = True
        generator = np.random.default_rng(seed)
        made = redraw(self.claims, self.claims.inputs[name], array, at, self.sizes, generator)
        if made is None:
            raise UnmeasurableError(f"nothing can change in `{name}` at {place}")
        return {**arrays, name: made}


def _moved(before: Array, after: Array, kept: tuple[int, ...], tolerance: float, least: float) -> Array:
    """Whether each output position moved by more than `tolerance`, in at least one row of the leading axis.

    Every row is one more trial, because the input position changes in all of them. The difference is relative to the
    largest absolute value of `before`, or to `least` if that is larger.
    """
    scale = max(least, float(np.abs(before).max(initial=0.0)))
    apart = np.abs(after.astype(np.float64) - before.astype(np.float64)) > tolerance * scale
    rest = tuple(axis for axis in range(1, apart.ndim) if axis not in kept)
    by_position: Array = apart.any((0, *rest)).reshape(-1)
    return by_position
