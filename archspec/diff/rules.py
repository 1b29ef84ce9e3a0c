"""Rules that are gained, lost, weaker or stronger, and verdicts that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.diff.changes import Change
from archspec.diff.stated import Implications, Side, Stated
from archspec.record import record
from archspec.rules.verdict import Verdict
from archspec.spec import Rule


@record(eq=False)
class Judged:
    """A rule of one of two specs, with its verdict."""

    stated: Stated
    verdict: Verdict

    @property
    def rule(self) -> Rule:
        """The rule."""
        return self.stated.rule

    def __str__(self) -> str:
        return str(self.rule)


def rules_same(before: Side, after: Side) -> bool:
    """Whether both specs state the same rules, in whatever order."""
    old, new = ({side.key(rule) for rule in side.spec.rules} for side in (before, after))
    return old == new


def rule_changes(
    before: tuple[Side, Sequence[Verdict]], after: tuple[Side, Sequence[Verdict]], known: Implications
) -> Iterator[Change]:
    """What differs in the rules of two specs and in what was found of them, from their verdicts."""
    old, new = ({side.key(one.rule): one for one in verdicts} for side, verdicts in (before, after))
    for key, verdict in old.items():
        if key in new and new[key].status != verdict.status:
            yield _status(verdict, new[key])
    lost = _judged(before[0], [one for key, one in old.items() if key not in new])
    gained = _judged(after[0], [one for key, one in new.items() if key not in old])
    for one, other in _paired(lost, gained, known):
        lost.remove(one)
        gained.remove(other)
        yield from _moved(one, other, known)
    yield from _lost(lost, _judged(after[0], after[1]), known)
    if gained:
        yield _gained(gained)


def _judged(side: Side, verdicts: Sequence[Verdict]) -> list[Judged]:
    return [
        Judged(stated=Stated(rule=one.rule, side=side), verdict=one) for one in verdicts if isinstance(one.rule, Rule)
    ]


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
            yield _status(one.verdict, other.verdict)
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
        holding = (other for other in kept if other.verdict.holds)
        by = next((other for other in holding if known.implies(other.stated, one.stated)), None)
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


def _status(one: Verdict, other: Verdict) -> Change:
    return Change(
        kind="rule",
        places=(str(other.rule),),
        text=f"{other.rule} was {one.status} and is {other.status}",
        before=one.status,
        after=other.status,
        effect="verdict",
    )
