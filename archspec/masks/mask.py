"""Masks: which keys a query may attend to. True means that it may.

A mask is a tree of atoms over query index i and key index j; atoms that read data name it by the number of a control
operand. From one tree come the emitted code, the reference, the relation and the picture.
"""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.record import record


class Mask:
    """A mask expression; the classes below are all there are."""

    def __and__(self, other: Mask) -> Mask:
        return both(self, other)

    def __or__(self, other: Mask) -> Mask:
        return either(self, other)


@record(kw_only=False)
class All(Mask):
    """Every pair."""


@record(kw_only=False)
class Causal(Mask):
    """`j <= i`."""


@record(kw_only=False)
class Last(Mask):
    """`i - count < j <= i`: the last `count` keys, the query's own position among them."""

    count: Dim


@record(kw_only=False)
class Within(Mask):
    """`|i - j| <= distance`: `2 * distance + 1` keys."""

    distance: Dim


@record(kw_only=False)
class KeyValid(Mask):
    """`p[..., j]` for the bool control operand p, whose last axis is the keys' and whose leading axes broadcast."""

    control: int


@record(kw_only=False)
class SameSegment(Mask):
    """`s[..., i] == s[..., j]` for the integer control operand s."""

    control: int


@record(kw_only=False)
class Prefix(Mask):
    """`j < length`: a Dim, or an integer control operand over leading axes (`p[batch]`)."""

    length: Dim | None = None
    control: int | None = None


@record(kw_only=False)
class Given(Mask):
    """A mask made elsewhere (by `make_mask`): a bool operand [batch or 1, 1, queries or 1, keys].

    `keep` is the operand [batch or 1, 1, queries or 1, 1] that says which rows have a key, where some may not; the
    mask then lets such rows attend everywhere, and the attention zeroes them.
    """

    control: int
    keep: int | None = None


@record(kw_only=False)
class And(Mask):
    """All of the terms."""

    terms: tuple[Mask, ...]


@record(kw_only=False)
class Or(Mask):
    """Any of the terms."""

    terms: tuple[Mask, ...]


def both(left: Mask, right: Mask) -> Mask:
    """Conjunction, flattened; `all` is its unit."""
    terms = _terms(And, left, right)
    kept = tuple(dict.fromkeys(term for term in terms if not isinstance(term, All)))
    return kept[0] if len(kept) == 1 else And(kept) if kept else All()


def either(left: Mask, right: Mask) -> Mask:
    """Disjunction, flattened; `all` absorbs it."""
    terms = tuple(dict.fromkeys(_terms(Or, left, right)))
    if any(isinstance(term, All) for term in terms):
        return All()
    return terms[0] if len(terms) == 1 else Or(terms)


def _terms(kind: type[And] | type[Or], *masks: Mask) -> tuple[Mask, ...]:
    return tuple(t for mask in masks for t in (mask.terms if isinstance(mask, kind) else (mask,)))
