"""Traversal of masks: their leaves, the controls they read, masks over other leaves, and their text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import TypeVar

from archspec.masks.leaf import Leaf
from archspec.masks.mask import And, Mask, Or, both, either
from archspec.masks.source import AND, OR, PRIMARY, MaskSource

T = TypeVar("T")


def fold(mask: Mask, of_leaf: Callable[[Leaf], T], of_and: Callable[[list[T]], T], of_or: Callable[[list[T]], T]) -> T:
    """Combine the results of a mask's leaves upwards. Raises TypeError for anything but a mask."""
    match mask:
        case And(terms=terms):
            return of_and([fold(term, of_leaf, of_and, of_or) for term in terms])
        case Or(terms=terms):
            return of_or([fold(term, of_leaf, of_and, of_or) for term in terms])
        case Leaf():
            return of_leaf(mask)
        case _:
            raise TypeError(f"not a mask: {mask!r}")


def leaves(mask: Mask) -> Iterator[Leaf]:
    """The leaves of a mask in the order in which they are written. Raises TypeError for anything but a mask."""
    if isinstance(mask, And | Or):
        for term in mask.terms:
            yield from leaves(term)
    elif isinstance(mask, Leaf):
        yield mask
    else:
        raise TypeError(f"not a mask: {mask!r}")


def controls(mask: Mask) -> tuple[int, ...]:
    """Numbers of the control operands that a mask reads, in the order of their first use."""
    return tuple(dict.fromkeys(number for leaf in leaves(mask) for number in leaf.controls()))


def joined_by_or(mask: Mask) -> Mask:
    """The parts of a mask that are alternatives, joined; an `Or` of no terms where there are none."""
    if isinstance(mask, Or):
        return mask
    # A conjunction has no alternatives of its own, only those inside its terms.
    return Or(tuple(joined_by_or(term) for term in mask.terms) if isinstance(mask, And) else ())


def replaced(mask: Mask, change: Callable[[Leaf], Mask]) -> Mask:
    """The mask with the result of `change` in place of each leaf."""
    return fold(mask, change, lambda terms: reduce(both, terms), lambda terms: reduce(either, terms))


def renumbered(mask: Mask, numbers: Mapping[int, int]) -> Mask:
    """The same mask with operand `numbers[n]` in place of control n. Raises KeyError for a control without an entry."""
    return replaced(mask, lambda leaf: leaf.renumbered(numbers))


def compares_positions(mask: Mask) -> bool:
    """Whether a mask compares query and key positions; both axes must then have equal length."""
    return any(leaf.compares for leaf in leaves(mask))


def differs_by_query(mask: Mask) -> bool:
    """Whether the keys that a query may attend to depend on the query."""
    return any(leaf.by_query for leaf in leaves(mask))


def text(mask: Mask, control_names: Sequence[str]) -> str:
    """A mask as text, `causal & key_valid(valid)`, with control n under the name `control_names[n]`.

    A mask that is made elsewhere is written as its name.
    """
    return fold(
        mask,
        lambda leaf: MaskSource(leaf.text(control_names), 0, PRIMARY),
        lambda terms: MaskSource(" & ".join(term.beside(AND) for term in terms), 0, AND),
        lambda terms: MaskSource(" | ".join(term.source for term in terms), 0, OR),
    ).source
