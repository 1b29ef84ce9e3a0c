"""Merges parts that are commonly drawn as one: a sum and its norm, a convolution and its norm, equal layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from archspec.views.diagram.plan import DiagramPart, DiagramPlan, DiagramWire


@dataclass(kw_only=True)
class Draft:
    """A plan under construction; a part that was merged into another or dropped is None."""

    parts: list[DiagramPart | None] = field(default_factory=list)
    wires: list[DiagramWire] = field(default_factory=list)

    def merge(self, gone: int, kept: int, part: DiagramPart) -> None:
        """Replace two parts by one in the place of `kept`, which has the wires of both except those between them."""
        both = (one.nodes for one in (self.parts[gone], self.parts[kept]) if one is not None)
        self.parts[gone], self.parts[kept] = None, replace(part, nodes=frozenset().union(*both))
        found = []
        for wire in self.wires:
            if wire.source == gone and wire.target == kept:
                continue
            target = kept if wire.target == gone else wire.target
            source = kept if wire.source == gone else wire.source
            found.append(replace(wire, source=source, target=target))
        # Both parts may have read one source, from which one wire is left.
        self.wires = list({(wire.source, wire.target, wire.port): wire for wire in found}.values())

    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of parts, by wire, of which the first is read by the second only."""
        readers: dict[int, set[int]] = {}
        for wire in self.wires:
            readers.setdefault(wire.source, set()).add(wire.target)
        return [
            (wire.source, wire.target) for wire in self.wires if wire.source >= 0 and len(readers[wire.source]) == 1
        ]

    def reads(self, part: int) -> list[int]:
        """The sources of a part."""
        return [wire.source for wire in self.wires if wire.target == part]


Merging = Callable[[DiagramPart, DiagramPart, bool], DiagramPart | None]
"""A rule for merging two parts: the part to draw instead of both, or None.

The flag is true if the second part reads nothing but the first.
"""


def tidied(draft: Draft, result: int) -> DiagramPlan:
    """The plan of a draft, after merging parts and dropping unread inputs.

    Args:
        draft: the draft, which is changed.
        result: the number of the part, or `-1 - k` for input k, whose value is that of the plan.
    """
    # The order matters: sums are merged with each other before the last of them is merged with a norm.
    for rule in (_with_activation, _with_norm, _with_softcap, _sums, _add_and_norm, _equal):
        again = True
        while again:
            again = False
            for first, second in draft.pairs():
                one, other = draft.parts[first], draft.parts[second]
                # The value of `result` leaves the plan, so its part has a reader outside and must stay.
                if one is None or other is None or first == result:
                    continue
                alone = draft.reads(second) == [first]
                made = rule(one, other, alone)
                if made is not None:
                    # A merge changes the pairs, so that they are listed anew.
                    draft.merge(first, second, made)
                    again = True
                    break
    _drop_unread_inputs(draft)
    return _frozen(_closed(draft), result)


def _drop_unread_inputs(draft: Draft) -> None:
    """Drop inputs and asides that no part reads."""
    read = {wire.source for wire in draft.wires}
    for number, part in enumerate(draft.parts):
        if part is not None and part.role in ("input", "aside") and number not in read:
            draft.parts[number] = None


def _frozen(draft: Draft, result: int) -> DiagramPlan:
    """The plan of a draft, with the remaining parts renumbered."""
    numbers = [number for number, part in enumerate(draft.parts) if part is not None]
    inputs = {source for source in (result, *(wire.source for wire in draft.wires)) if source < 0}
    place = {number: k for k, number in enumerate(numbers)} | {source: source for source in inputs}
    wires = [
        replace(wire, source=place[wire.source], target=place[wire.target])
        for wire in draft.wires
        if wire.source in place and wire.target in place
    ]
    parts = tuple(part for part in draft.parts if part is not None)
    return DiagramPlan(parts=parts, wires=tuple(wires), result=place[result])


def _with_activation(one: DiagramPart, other: DiagramPart, alone: bool) -> DiagramPart | None:
    if other.kind == "activation" and alone and one.role in ("linear", "convolution"):
        return replace(one, notes=_joined(one.notes, _small(other.title)), gives=other.gives)
    return None


def _with_norm(one: DiagramPart, other: DiagramPart, alone: bool) -> DiagramPart | None:
    if (
        one.role == "convolution"
        and other.role == "norm"
        and alone
        and other.kind.endswith(("batch_norm", "group_norm"))
    ):
        return replace(one, notes=_joined(one.notes, _small(other.title)), gives=other.gives)
    if one.role == "convolution" and other.kind == "activation" and alone:
        return replace(one, notes=_joined(one.notes, _small(other.title)), gives=other.gives)
    return None


def _small(title: str) -> str:
    """A title for use inside a line, with a small first letter unless it seems to be an abbreviation, such as GELU."""
    return title if title[1:2].isupper() or title[2:3].isupper() else title[:1].lower() + title[1:]


def _joined(notes: tuple[str, ...], word: str) -> tuple[str, ...]:
    """The notes with a word added: on a line of its own if there is at most one note, else on the last line."""
    if len(notes) > 1:
        return (*notes[:-1], f"{notes[-1]}, {word}")
    return (*notes, word)


def _with_softcap(one: DiagramPart, other: DiagramPart, alone: bool) -> DiagramPart | None:
    if other.kind == "softcap" and alone and one.role == "linear":
        return replace(one, notes=(*one.notes, _small(other.title)), gives=other.gives)
    return None


def _sums(one: DiagramPart, other: DiagramPart, alone: bool) -> DiagramPart | None:
    return other if one.role == other.role == "sum" else None


def _add_and_norm(one: DiagramPart, other: DiagramPart, alone: bool) -> DiagramPart | None:
    if one.role == "sum" and other.role == "norm" and alone:
        return replace(other, title=f"Add & {_small(other.title)}")
    return None


def _equal(one: DiagramPart, other: DiagramPart, alone: bool) -> DiagramPart | None:
    """Merge consecutive groups that look the same, with the sum of their repetitions."""
    if one.role == "group" and alone and replace(one, times=1) == replace(other, times=1):
        return replace(other, times=one.times + other.times, name="")
    return None


def _closed(draft: Draft) -> Draft:
    """Close larger parts that look like one drawn before: they are only named, with a list of the groups inside."""
    met: dict[object, str] = {}
    for number, part in enumerate(draft.parts):
        if part is None or part.inside is None:
            continue
        look = _look(part)
        if look in met and len(list(part.inside.walk())) > 2:
            draft.parts[number] = _as_before(part, part.inside, met[look])
        else:
            met[look] = part.name or part.title
    return draft


def _as_before(part: DiagramPart, inside: DiagramPlan, place: str) -> DiagramPart:
    """A closed part, with a note that names the part in which the same contents are drawn."""
    if part.name and part.role == "stack":
        own = f"{part.times} × {part.title}" if part.times > 1 else part.title
        return replace(part, inside=None, title=part.name, times=1, notes=(own, *part.notes, f"as in {place}"))
    return replace(part, inside=None, notes=(*_inner(inside), *part.notes, f"as in {place}"))


def _inner(plan: DiagramPlan) -> list[str]:
    """The number of groups of each title inside a plan, as text."""
    found: dict[str, int] = {}
    for part in plan.parts:
        if part.role == "group":
            found[part.title.lower()] = found.get(part.title.lower(), 0) + part.times
    return [f"{times} × {title}" for title, times in found.items()]


def _look(part: DiagramPart) -> object:
    """A key for the look of a part, without sizes and repetitions."""
    inside = part.inside
    if inside is None:
        return (part.role, part.kind, part.mask)
    return (part.role, part.kind, tuple(map(_look, inside.parts)), inside.wires)
