"""Masks: which keys a query may attend to. True means that it may.

A mask is a tree of leaves over query index i and key index j, joined by "and" and "or"; leaves that read data name it
by the number of a control operand. The emitted code, the reference, the relation and the picture all come from it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archspec.record import record


class Mask:
    """A mask expression: a leaf (`archspec.masks.leaf`), or one of the two classes below.

    `kernel` names the mask where attention kernels compute it without an operand: `full` (every pair) or `causal`.
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
    """Conjunction, flattened and without repetition; the mask of every pair is its unit."""
    terms = _terms(And, left, right)
    # Where every term is the mask of every pair, one of them is kept.
    kept = tuple(dict.fromkeys(term for term in terms if term.kernel != "full")) or terms[:1]
    return kept[0] if len(kept) == 1 else And(kept)


def either(left: Mask, right: Mask) -> Mask:
    """Disjunction, flattened and without repetition; the mask of every pair absorbs all others."""
    terms = tuple(dict.fromkeys(_terms(Or, left, right)))
    full = [term for term in terms if term.kernel == "full"]
    if full:
        return full[0]
    return terms[0] if len(terms) == 1 else Or(terms)


def _terms(kind: type[And] | type[Or], *masks: Mask) -> tuple[Mask, ...]:
    """The terms of masks of one class, of which nested ones are flattened."""
    return tuple(t for mask in masks for t in (mask.terms if isinstance(mask, kind) else (mask,)))
