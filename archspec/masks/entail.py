"""Entailment between masks, and their normal form."""

from __future__ import annotations

from functools import reduce

from archspec.masks.atoms.causal import Causal
from archspec.masks.coordinates import Coordinates
from archspec.masks.given import Given
from archspec.masks.mask import And, Mask, Or, both, either
from archspec.masks.relation import relation
from archspec.masks.walk import leaves
from archspec.masks.witness import refuted
from archspec.relation import entail

_PLACES = Coordinates(query=(0,), key=(0,))


def entails(left: Mask, right: Mask) -> bool | None:
    """Whether every pair that `left` allows is one that `right` allows.

    True is proved for axes of every length, all sizes and all values of the controls. False is refuted: some values at
    some admitted sizes make a pair that only `left` allows, on axes that are long enough. None: neither was shown.
    """
    if left == right:
        return True
    # The relation of a given mask is everything, which any mask would seem to entail.
    if any(isinstance(leaf, Given) for leaf in leaves(right)):
        return None
    if entail.entails(relation(left, _PLACES), relation(right, _PLACES)):
        return True
    # Both directions are one-sided: no proof is not a refutation, and no counterexample is not a proof.
    return False if refuted(left, right) else None


def implies_causal_or_prefix(mask: Mask) -> bool:
    """Whether no query sees a later key, other than inside a prefix that the mask names."""
    # Only prefixes that the mask itself names: others would allow more than it says.
    prefixes = (leaf for leaf in leaves(mask) if leaf.opens_prefix)
    return any(entails(mask, bound) for bound in (Causal(), *(Causal() | prefix for prefix in prefixes)))


def normal(mask: Mask) -> Mask:
    """The same mask without redundant terms: `last(n) & causal` is `last(n)`, `causal | last(n)` is `causal`."""
    if isinstance(mask, And):
        return reduce(both, _kept([normal(term) for term in mask.terms], widest=False))
    if isinstance(mask, Or):
        return reduce(either, _kept([normal(term) for term in mask.terms], widest=True))
    return mask


def _kept(terms: list[Mask], widest: bool) -> list[Mask]:
    """The terms that no other term makes redundant: the widest of a disjunction, the narrowest of a conjunction."""
    kept: list[Mask] = []
    for place, term in enumerate(terms):
        # Of two equivalent terms the later one is kept: earlier terms that were dropped no longer count.
        others = [*kept, *terms[place + 1 :]]
        if not any(entails(*((term, other) if widest else (other, term))) for other in others):
            kept.append(term)
    return kept
