"""The block `decoder`."""

from __future__ import annotations

from typing import ClassVar

from archspec.blocks.parts.attention import AttentionFields
from archspec.blocks.transformer import TransformerBlock
from archspec.diagnostics import fail
from archspec.masks.entail import implies_causal_or_prefix
from archspec.masks.mask import Mask


class DecoderBlock(TransformerBlock):
    """A transformer whose self-attention may not look ahead, except inside a prefix that its mask names."""

    block: ClassVar[str] = "decoder"
    kind: ClassVar[str] = "Decoder"

    def check_mask(self, mask: Mask, fields: AttentionFields) -> None:
        """Raise SpecError E440 for a mask that may let a position see later ones outside a prefix that it names."""
        if not implies_causal_or_prefix(mask):
            text = str(fields.mask)
            # `&` binds tighter than `|`, so a union needs parentheses.
            write = "`causal`" if text == "all" else f"`causal & {text}`" if "|" not in text else f"`causal & ({text})`"
            fail(
                "E440",
                "a decoder's self-attention may not look ahead",
                fields.mask.span,
                "this mask lets a position see later ones",
                help=f"write {write}, or use the block `transformer`",
            )
