"""Going over a mask's tree: its leaves, the controls it reads, the same mask over other controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce

from archspec.masks.mask import (
    And,
    Causal,
    Given,
    KeyValid,
    Last,
    Mask,
    Or,
    Prefix,
    SameSegment,
    Within,
    both,
    either,
)


def leaves(mask: Mask) -> Iterator[Mask]:
    """The atoms of a mask, as written."""
    if isinstance(mask, And | Or):
        for term in mask.terms:
            yield from leaves(term)
    else:
        yield mask


def controls(mask: Mask) -> tuple[int, ...]:
    """Numbers of the control operands that a mask reads, in the order of their first use."""
    return tuple(dict.fromkeys(number for leaf in leaves(mask) for number in _of_leaf(leaf)))


def _of_leaf(leaf: Mask) -> tuple[int, ...]:
    match leaf:
        case KeyValid(control=control) | SameSegment(control=control) | Given(control=control, keep=None):
            return (control,)
        case Given(control=control, keep=int(keep)):
            return (control, keep)
        case Prefix(control=int(control)):
            return (control,)
        case _:
            return ()


def renumbered(mask: Mask, numbers: Mapping[int, int]) -> Mask:
    """The same mask where control `n` is the operand `numbers[n]`. Raises KeyError for a control without one."""
    match mask:
        case And(terms=terms):
            return reduce(both, [renumbered(term, numbers) for term in terms])
        case Or(terms=terms):
            return reduce(either, [renumbered(term, numbers) for term in terms])
        case KeyValid(control=control):
            return KeyValid(numbers[control])
        case SameSegment(control=control):
            return SameSegment(numbers[control])
        case Prefix(control=int(control)):
            return Prefix(control=numbers[control])
        case Given(control=control, keep=keep):
            return Given(numbers[control], None if keep is None else numbers[keep])
        case _:
            return mask


def compares_positions(mask: Mask) -> bool:
    """Whether a mask sets query positions against key positions; both axes must then be of one length."""
    return any(isinstance(leaf, Causal | Last | Within | SameSegment) for leaf in leaves(mask))
