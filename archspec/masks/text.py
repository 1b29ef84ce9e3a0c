"""Masks as the language writes them."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.masks.mask import Mask
from archspec.masks.source import AND, OR, PRIMARY, MaskSource
from archspec.masks.walk import fold


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
