"""Verdicts: upper rules are proved, violated by a witness, or unknown; lower rules are wired or violated."""

from __future__ import annotations

from archspec.relation.atoms import NOTHING
from archspec.rules.evidence import Evidence
from archspec.rules.explain import open_question
from archspec.rules.flow import Dependence
from archspec.rules.independence import Independent, independence
from archspec.rules.kind import rule_kinds
from archspec.rules.promises import Promises
from archspec.rules.rows import keeps_rows
from archspec.rules.shortfall import unknown
from archspec.rules.target import Inexpressible
from archspec.rules.verdict import TooManyPositions, Verdict
from archspec.spec import Rule, Spec


def judge(spec: Spec) -> tuple[Verdict, ...]:
    """A verdict for each rule of a spec, and for the independence of each dim that leads inputs."""
    return Judge(spec).verdicts()


class Judge:
    """Judges the rules of one spec; the relations and promises are computed once and shared.

    Verdicts do not depend on the run: sets are traversed in a total order, and random worlds are seeded.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.evidence = Evidence(spec)

    @property
    def dependence(self) -> Dependence:
        """The relations of the spec's graph."""
        return self.evidence.dependence

    @property
    def promises(self) -> Promises:
        """What the spec's inputs promise about their padding."""
        return self.evidence.promises

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts in the order of the rules, followed by those on independence."""
        own = [self.verdict(rule) for rule in self.spec.rules]
        return (*own, *(self.independent(rule) for rule in independence(self.spec.graph)))

    def verdict(self, rule: Rule) -> Verdict:
        """The verdict on one rule; unknown, with the reason, where the rule cannot be expressed or traced."""
        try:
            return rule_kinds()[rule.kind].judge(rule, self.evidence)
        except Inexpressible as reason:
            return unknown(rule, str(reason), f"the rule refers to {reason}")
        except TooManyPositions as reason:
            return unknown(rule, str(reason), str(reason))

    def independent(self, rule: Independent) -> Verdict:
        """The verdict on the independence of one dim.

        Every node keeping its rows apart is the quick proof; otherwise the relations are compared for each pair.
        """
        # Imported late: a spec whose rows are separate never searches for a witness.
        from archspec.rules.wiring.search import find, outside

        reads = self.dependence.reads
        # One walk over the nodes; relations are only computed where it fails.
        kept = keeps_rows(self.spec.graph, reads, rule.size)
        short = [] if kept else [pair for pair in rule.pairs if not pair.proved(self.dependence)]
        if not short:
            return Verdict(rule=rule, status="proved", explanation="at all sizes")
        # A lost pair has no rows that a witness could name: it can only be unknown.
        for pair in (pair for pair in short if not pair.is_lost):
            allowed_pairs = (pair.allowed() or [NOTHING])[0]
            test = outside(pair.output, pair.input, allowed_pairs)
            extra = [(pair.output, pair.input, allowed_pairs)]
            try:
                witness = find(self.spec, reads, pair.output, pair.input, extra, test).witness
            except TooManyPositions as reason:
                return unknown(rule, str(reason), str(reason))
            if witness is not None:
                from archspec.rules.leak import mixing

                return mixing(self.spec, rule, pair, witness)
        return Verdict(rule=rule, status="unknown", diagnostics=(open_question(rule, None),))
