"""Rules that are gained, lost, weaker or stronger, and verdicts that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial

from archspec.checking import Report
from archspec.diff.changes import Change
from archspec.diff.stated import Implications, Side, Stated
from archspec.rules.independence import Independent, independence
from archspec.rules.judge import Judge
from archspec.rules.verdict import Verdict
from archspec.spec import Rule, Spec


class Judged:
    """A rule of one of two specs, with its verdict, which is found when it is asked for."""

    def __init__(self, rule: Rule | Independent, side: Side, find: Callable[[], Verdict]) -> None:
        self.rule, self.side = rule, side
        self._find = find

    @property
    def stated(self) -> Stated:
        """The rule for comparisons; one that the spec states itself."""
        assert isinstance(self.rule, Rule)
        return Stated(rule=self.rule, side=self.side)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self._find()

    def __str__(self) -> str:
        return str(self.rule)


def judged(given: Spec | Report, side: Side) -> list[Judged]:
    """The rules of a spec, then the independence of its dims; a report has their verdicts already."""
    if isinstance(given, Report):
        return [Judged(one.rule, side, partial(_same, one)) for one in given.verdicts]
    judge = Judge(given)
    own = [Judged(rule, side, partial(judge.verdict, rule)) for rule in given.rules]
    return [*own, *(Judged(rule, side, partial(judge.independent, rule)) for rule in independence(given.graph))]


def _same(verdict: Verdict) -> Verdict:
    return verdict


def rules_same(before: Side, after: Side) -> bool:
    """Whether both specs state the same rules, in whatever order."""
    old, new = ({side.key(rule) for rule in side.spec.rules} for side in (before, after))
    return old == new


def rule_changes(before: Sequence[Judged], after: Sequence[Judged], known: Implications) -> Iterator[Change]:
    """What differs in the rules of two specs and in what was found of them."""
    old, new = ({one.side.key(one.rule): one for one in rules} for rules in (before, after))
    for key, one in old.items():
        if key in new and new[key].verdict.status != one.verdict.status:
            yield _status(one, new[key])
    lost = _stated(one for key, one in old.items() if key not in new)
    gained = _stated(one for key, one in new.items() if key not in old)
    for one, other in _paired(lost, gained, known):
        lost.remove(one)
        gained.remove(other)
        yield from _moved(one, other, known)
    yield from _lost(lost, _stated(after), known)
    if gained:
        yield _gained(gained)


def _stated(rules: Iterable[Judged]) -> list[Judged]:
    """Those of the rules that a spec states itself."""
    return [one for one in rules if isinstance(one.rule, Rule)]


def _paired(lost: list[Judged], gained: list[Judged], known: Implications) -> list[tuple[Judged, Judged]]:
    """Rules with those that took their place: what one of them implies of the other."""
    found: list[tuple[Judged, Judged]] = []
    left = list(gained)
    # Of the same kind first: a window takes the place of another window, and not of a causal rule.
    for same_kind in (True, False):
        for one in lost:
            if any(one is pair[0] for pair in found):
                continue
            fits = [new for new in left if (new.rule.kind == one.rule.kind) == same_kind and _related(one, new, known)]
            if fits:
                found.append((one, fits[0]))
                left.remove(fits[0])
    return found


def _related(one: Judged, other: Judged, known: Implications) -> bool:
    return known.implies(other.stated, one.stated) or known.implies(one.stated, other.stated)


def _moved(one: Judged, other: Judged, known: Implications) -> Iterator[Change]:
    up, down = known.implies(other.stated, one.stated), known.implies(one.stated, other.stated)
    if up and down:
        if one.verdict.status != other.verdict.status:
            yield _status(one, other)
        return
    word = "strengthened" if up else "weakened"
    yield Change(
        kind="rule",
        places=(str(other),),
        text=f"rule {word}: {_replaced(one, other)}{_note(other.verdict)}",
        before=str(one),
        after=str(other),
        effect="stronger" if up else "weaker",
    )


def _replaced(one: Judged, other: Judged) -> str:
    """Both rules; of two that are written alike, what their constants make different."""
    if str(one) != str(other):
        return f"{one} -> {other}"
    sizes = ((name, getattr(one.rule, name), getattr(other.rule, name)) for name in ("at_most", "back", "ahead"))
    told = [f"{name} {old} -> {new}" for name, old, new in sizes if old != new]
    return f"{other}, {', '.join(told)}" if told else str(other)


def _lost(lost: Sequence[Judged], kept: Sequence[Judged], known: Implications) -> Iterator[Change]:
    for one in lost:
        stronger = (other for other in kept if known.implies(other.stated, one.stated))
        by = next((other for other in stronger if other.verdict.holds), None)
        told = f"rule lost: {one}{f', which {by} implies' if by is not None else ''}"
        yield Change(kind="rule", places=(str(one),), text=told, before=str(one), effect="lost")


def _gained(gained: Sequence[Judged]) -> Change:
    told = ", ".join(f"{one}{_note(one.verdict)}" for one in gained)
    plural = "s" if len(gained) > 1 else ""
    return Change(
        kind="rule",
        places=tuple(map(str, gained)),
        text=f"rule{plural} gained: {told}",
        after="\n".join(map(str, gained)),
        effect="gained",
    )


def _note(verdict: Verdict) -> str:
    """The status, where it is not what a rule should have."""
    return "" if verdict.holds else f" ({verdict.status})"


def _status(one: Judged, other: Judged) -> Change:
    before, after = one.verdict.status, other.verdict.status
    return Change(
        kind="rule",
        places=(str(other),),
        text=f"{other} was {before} and is {after}",
        before=before,
        after=after,
        effect="verdict",
    )
