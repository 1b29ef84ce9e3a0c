"""Masks that differ: which of the two lets see more, by entailment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.diff.changes import Change, Effect
from archspec.diff.matching import Region
from archspec.diff.numbering import Axes, contains, unordered
from archspec.diff.places import StepPlace, merged
from archspec.diff.predicates import Predicates
from archspec.diff.steps import Sides
from archspec.diff.words import listed
from archspec.masks.entail import entails
from archspec.masks.mask import Mask
from archspec.masks.walk import controls, renumbered, text

_WORDS: Mapping[Effect, str] = {
    "wider": "wider",
    "narrower": "narrower",
    "incomparable": "neither contains the other",
}


def mask_changes(region: Region, sides: Sides) -> Iterator[Change]:
    """A change for each pair of masks that differ, with the places where they do."""
    found: dict[tuple[str, str, Effect], list[StepPlace]] = {}
    predicates = sides.after.predicates
    for inner in region.walk():
        for one, other in inner.pairs.steps.items():
            before, after = sides.before.mask(one), sides.after.mask(other)
            if before is None or after is None or unordered(before) == unordered(after):
                continue
            effect = compared(before, after, sides.after.axes(other.node.inputs), predicates)
            if effect is None:
                continue
            key = _text(before, predicates), _text(after, predicates), effect
            found.setdefault(key, []).append(inner.place(other))
    for (old, new, effect), where in found.items():
        places = merged(where)
        told = f"mask of {listed(places)}: {old} -> {new}{f', {_WORDS[effect]}' if effect in _WORDS else ''}"
        yield Change(kind="mask", places=tuple(places), text=told, before=old, after=new, effect=effect)


def compared(before: Mask, after: Mask, axes: Axes, predicates: Predicates) -> Effect | None:
    """How the second of two masks differs from the first; None where each is proved to contain the other."""
    grows, shrinks = contains(after, before, axes), contains(before, after, axes)
    if grows and shrinks:
        return None
    if grows:
        return "wider"
    if shrinks:
        return "narrower"
    # No proof of either is no refutation of it, and values that refute both may be such as never come together.
    refuted = entails(before, after) is False and entails(after, before) is False
    return "incomparable" if refuted and predicates.are_free((*controls(before), *controls(after))) else ""


def _text(mask: Mask, predicates: Predicates) -> str:
    read = controls(mask)
    names = [predicates.text(one) for one in read]
    return text(renumbered(mask, {control: number for number, control in enumerate(read)}), names)
