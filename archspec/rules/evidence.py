"""What verdicts on one spec share: its relations, and what its inputs promise."""

from __future__ import annotations

from archspec.rules.fixed import Fixed
from archspec.rules.flow import Dependence
from archspec.rules.promises import Promises
from archspec.rules.prove import promises
from archspec.rules.reads import Reads
from archspec.rules.terms import Terms
from archspec.spec import Spec


class Evidence:
    """The relations of a spec's graph, worked out as they are asked for, and the promises of its inputs."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.dependence = Dependence(spec.graph)
        self.promises: Promises = promises(spec, self.dependence)

    @property
    def terms(self) -> Terms:
        """The names of controls."""
        return self.dependence.reads.terms

    def holding(self, fixed: Fixed) -> Dependence:
        """The relations while a predicate stays true where an input changes."""
        return Dependence(self.spec.graph, Reads(self.spec.graph, self.terms, fixed))
