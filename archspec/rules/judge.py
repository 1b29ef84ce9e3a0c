"""Verdicts: upper rules are proved, broken by a witness, or open; lower rules are wired or not."""

from __future__ import annotations

from collections.abc import Callable

from archspec.ir.graph import Value
from archspec.relation.atoms import NOTHING, Relation
from archspec.rules.explain import at_text, not_judged, open_question, sizes_text
from archspec.rules.fixed import Fixed
from archspec.rules.flow import Dependence
from archspec.rules.independence import Independent, independence
from archspec.rules.lost import where_lost
from archspec.rules.promises import Promises
from archspec.rules.prove import avoids, promises, within
from archspec.rules.reads import Reads
from archspec.rules.rows import keeps_rows
from archspec.rules.target import Inexpressible, allowed, disjunction, forbidden
from archspec.rules.verdict import TooManyPositions, Verdict
from archspec.spec import Rule, Spec

_LOWER = ("sees", "covers")
_NOT_YET = ("equivariant", "invariant", "receptive_field")


def judge(spec: Spec) -> tuple[Verdict, ...]:
    """A verdict for each rule of a spec, and for the independence of each dim that leads inputs."""
    return Judge(spec).verdicts()


class Judge:
    """What verdicts on one spec share: its relations and its promises."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.dependence = Dependence(spec.graph)
        self.promises: Promises = promises(spec, self.dependence)

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts, in the order of the rules; independence comes last."""
        own = [self.verdict(rule) for rule in self.spec.rules]
        return (*own, *(self.independent(rule) for rule in independence(self.spec.graph)))

    def verdict(self, rule: Rule) -> Verdict:
        """The verdict on one rule."""
        if rule.kind in _NOT_YET:
            explanation = "rules of symmetry are not judged yet"
            return Verdict(rule=rule, status="not yet", explanation=explanation, diagnostics=(not_judged(rule),))
        try:
            if rule.kind in _LOWER:
                return self._lower(rule)
            return self._ignores(rule) if rule.kind == "ignores" else self._upper(rule)
        except Inexpressible as reason:
            return _unknown(rule, str(reason), f"the rule speaks of {reason}")
        except TooManyPositions as reason:
            return _unknown(rule, str(reason), str(reason))

    def _upper(self, rule: Rule) -> Verdict:
        wanted = allowed(rule, self.dependence.reads.terms)

        def proved(value: Value) -> bool:
            found = self.dependence.relation(value, rule.input)
            return within(found, wanted, value.type.space, rule.input.type.space, self.promises)

        if proved(rule.output):
            return Verdict(rule=rule, status="proved", explanation="at all sizes")
        return self._short(rule, self.dependence, wanted, False, proved)

    def _ignores(self, rule: Rule) -> Verdict:
        dependence = self.with_fixed(rule)
        clauses = forbidden(rule, self.dependence.reads.terms)

        def proved(value: Value) -> bool:
            found = dependence.relation(value, rule.input)
            return avoids(found, clauses, value.type.space, rule.input.type.space, self.promises)

        if proved(rule.output):
            return Verdict(rule=rule, status="proved", explanation=f"at all sizes, {at_text(rule)}")
        return self._short(rule, dependence, clauses.relation(), True, proved)

    def with_fixed(self, rule: Rule) -> Dependence:
        """The relations; where `where` reads the input itself, those while it stays as it is."""
        terms = self.dependence.reads.terms
        own = terms.of(rule.input)
        assert rule.where is not None
        clauses = disjunction(rule.where, terms)
        if own is None or not any(literal.term.depends_on(own) for clause in clauses for literal in clause):
            return self.dependence
        return Dependence(self.spec.graph, Reads(self.spec.graph, terms, Fixed(own, clauses)))

    def _short(
        self, rule: Rule, dependence: Dependence, pairs: Relation, bad: bool, proved: Callable[[Value], bool]
    ) -> Verdict:
        """The verdict on a rule that is not proved; `bad` says that the pairs are those that must not be."""
        from archspec.rules.wiring.search import find, inside, outside

        test = (inside if bad else outside)(rule.output, rule.input, pairs)
        extra = [(rule.output, rule.input, pairs)]
        witness = find(self.spec, dependence.reads, rule.output, rule.input, extra, test)
        if witness is not None:
            from archspec.rules.leak import violation

            return Verdict(rule=rule, status="violated", diagnostics=(violation(rule, witness),))
        lost = where_lost(rule, dependence, proved)
        return Verdict(rule=rule, status="unknown", diagnostics=(open_question(rule, lost),))

    def _lower(self, rule: Rule) -> Verdict:
        from archspec.rules.wiring.cover import uncovered

        wanted = allowed(rule, self.dependence.reads.terms)
        found = uncovered(self.spec, self.dependence.reads, rule.output, rule.input, wanted)
        if isinstance(found, dict):
            return Verdict(rule=rule, status="wired", explanation=f"at {sizes_text(found)}")
        from archspec.rules.leak import not_seen

        return Verdict(rule=rule, status="violated", diagnostics=(not_seen(rule, found),))

    def independent(self, rule: Independent) -> Verdict:
        """The verdict on the independence of one dim."""
        from archspec.rules.wiring.search import find, outside

        reads = self.dependence.reads
        kept = keeps_rows(self.spec.graph, reads, rule.size)
        short = [] if kept else [pair for pair in rule.pairs if not pair.proved(self.dependence)]
        if not short:
            return Verdict(rule=rule, status="proved", explanation="at all sizes")
        for pair in short:
            allowed_pairs = (pair.allowed() or [NOTHING])[0]
            test = outside(pair.output, pair.input, allowed_pairs)
            extra = [(pair.output, pair.input, allowed_pairs)]
            try:
                witness = find(self.spec, reads, pair.output, pair.input, extra, test)
            except TooManyPositions as reason:
                return _unknown(rule, str(reason), str(reason))
            if witness is not None:
                from archspec.rules.leak import mixing

                return Verdict(rule=rule, status="violated", diagnostics=(mixing(self.spec, rule, pair, witness),))
        return Verdict(rule=rule, status="unknown", diagnostics=(open_question(rule, None),))


def _unknown(rule: Rule | Independent, explanation: str, reason: str) -> Verdict:
    return Verdict(
        rule=rule, status="unknown", explanation=explanation, diagnostics=(open_question(rule, None, reason),)
    )
