"""Masks: which keys a query may attend to. True means that it may.

A mask is a tree of leaves over query index i and key index j, joined by "and" and "or"; leaves that read data name it
by the number of a control operand. From one tree come the emitted code, the reference, the relation and the picture.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archspec.record import record


class Mask:
    """A mask expression: a leaf (`archspec.masks.leaf`), or the two classes below.

    `kernel` is the mask that attention kernels compute without being given one: every pair, or `j <= i`.
    """

    kernel: ClassVar[Literal["full", "causal"] | None] = None

    def __and__(self, other: Mask) -> Mask:
        return both(self, other)

    def __or__(self, other: Mask) -> Mask:
        return either(self, other)


@record(kw_only=False)
class And(Mask):
    """All of the terms."""

    terms: tuple[Mask, ...]


@record(kw_only=False)
class Or(Mask):
    """Any of the terms."""

    terms: tuple[Mask, ...]


def both(left: Mask, right: Mask) -> Mask:
    """Conjunction, flattened; the mask of every pair is its unit."""
    terms = _terms(And, left, right)
    kept = tuple(dict.fromkeys(term for term in terms if term.kernel != "full")) or terms[:1]
    return kept[0] if len(kept) == 1 else And(kept)


def either(left: Mask, right: Mask) -> Mask:
    """Disjunction, flattened; the mask of every pair absorbs it."""
    terms = tuple(dict.fromkeys(_terms(Or, left, right)))
    full = [term for term in terms if term.kernel == "full"]
    if full:
        return full[0]
    return terms[0] if len(terms) == 1 else Or(terms)


def _terms(kind: type[And] | type[Or], *masks: Mask) -> tuple[Mask, ...]:
    return tuple(t for mask in masks for t in (mask.terms if isinstance(mask, kind) else (mask,)))
