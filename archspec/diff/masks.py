"""Masks that differ: which of the two lets see more, by entailment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from archspec.diff.changes import Change, Effect
from archspec.diff.flat import Step
from archspec.diff.matching import Region
from archspec.diff.numbering import Axes, Number, contains, unordered
from archspec.diff.places import StepPlace, merged
from archspec.diff.steps import Sides
from archspec.diff.words import listed
from archspec.ir.graph import Graph
from archspec.masks.entail import entails
from archspec.masks.mask import Mask
from archspec.masks.walk import controls, renumbered, text
from archspec.rules.terms import Terms

_WORDS: Mapping[Effect, str] = {
    "wider": "wider",
    "narrower": "narrower",
    "incomparable": "neither contains the other",
}


class MaskNames:
    """What the controls of masks are called: the text of what they compute, by number."""

    def __init__(self, before: Graph, after: Graph, sides: Sides) -> None:
        self._graphs = before, after
        self._sides = sides

    @cached_property
    def _terms(self) -> tuple[Terms, Terms]:
        return Terms(self._graphs[0]), Terms(self._graphs[1])

    def of(self, one: Step, other: Step) -> dict[Number, str]:
        """The names of the controls of two steps; of one number the first's."""
        found: dict[Number, str] = {}
        for step, numbering, terms in zip(
            (one, other), (self._sides.before, self._sides.after), self._terms, strict=True
        ):
            first = int(getattr(step.op, "first", 0))
            for slot, value in zip(step.inputs[first:], step.node.inputs[first:], strict=True):
                term = terms.of(value)
                found.setdefault(numbering.known[slot], value.name if term is None else term.text)
        return found


def mask_changes(region: Region, sides: Sides, names: MaskNames) -> Iterator[Change]:
    """A change for each pair of masks that differ, with the places where they do."""
    found: dict[tuple[str, str, Effect], list[StepPlace]] = {}
    for inner in region.walk():
        for one, other in inner.pairs.steps.items():
            before, after = sides.before.mask(one), sides.after.mask(other)
            if before is None or after is None or unordered(before) == unordered(after):
                continue
            effect = compared(before, after, sides.after.axes(other.node.inputs))
            if effect is None:
                continue
            called = names.of(one, other)
            key = _text(before, called), _text(after, called), effect
            found.setdefault(key, []).append(inner.place(other))
    for (old, new, effect), where in found.items():
        places = merged(where)
        told = f"mask of {listed(places)}: {old} -> {new}{f', {_WORDS[effect]}' if effect in _WORDS else ''}"
        yield Change(kind="mask", places=tuple(places), text=told, before=old, after=new, effect=effect)


def compared(before: Mask, after: Mask, axes: Axes) -> Effect | None:
    """How the second of two masks differs from the first; None where each is proved to contain the other."""
    grows, shrinks = contains(after, before, axes), contains(before, after, axes)
    if grows and shrinks:
        return None
    if grows:
        return "wider"
    if shrinks:
        return "narrower"
    # No proof of either is no refutation of it.
    return "incomparable" if entails(before, after) is False and entails(after, before) is False else ""


def _text(mask: Mask, names: Mapping[Number, str]) -> str:
    read = controls(mask)
    return text(
        renumbered(mask, {control: number for number, control in enumerate(read)}), [names[one] for one in read]
    )
