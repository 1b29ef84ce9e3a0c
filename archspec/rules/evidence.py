"""The analyses that all verdicts on one spec share: its relations, and what its inputs promise."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from archspec.ir.graph import Value
from archspec.ir.motion import Move
from archspec.rules.fixed import Fixed
from archspec.rules.flow import Dependence
from archspec.rules.promises import Promises
from archspec.rules.prove import promises
from archspec.rules.reads import Reads
from archspec.rules.terms import Terms
from archspec.spec import Spec

if TYPE_CHECKING:
    from archspec.analyses.field import ReceptiveFields
    from archspec.analyses.shift import Shifts


class Evidence:
    """The relations of a spec's graph, computed on demand, and the promises of its inputs.

    One object serves all rules of a spec, so that relations to the same source are computed once.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.dependence = Dependence(spec.graph)
        self.promises: Promises = promises(spec, self.dependence)
        self._shifts: dict[tuple[Value, int, Move], Shifts] = {}

    @cached_property
    def fields(self) -> ReceptiveFields:
        """The receptive fields of the spec's values."""
        # Imported late: most specs have no rule on fields.
        from archspec.analyses.field import ReceptiveFields

        return ReceptiveFields(self.spec.graph)

    @property
    def terms(self) -> Terms:
        """The terms that name controls."""
        return self.dependence.reads.terms

    def holding(self, fixed: Fixed) -> Dependence:
        """The relations under the assumption that a predicate stays true at the positions of an input that change."""
        # With the same terms: those of the rule and those found are compared by identity.
        return Dependence(self.spec.graph, Reads(self.spec.graph, self.terms, fixed))

    def shifts(self, source: Value, axis: int, move: Move) -> Shifts:
        """How all values move with a source that is moved along an axis."""
        # Imported late: most specs have no rule on symmetry.
        from archspec.analyses.shift import Shifts

        key = (source, axis, move)
        if key not in self._shifts:
            self._shifts[key] = Shifts(self.spec.graph, source, axis, move)
        return self._shifts[key]
