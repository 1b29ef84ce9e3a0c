"""The block `encoder`."""

from __future__ import annotations

from typing import ClassVar

from archspec.blocks.transformer import Stack


class Encoder(Stack):
    """Layers of attention and feed-forward sublayers, without attention to another sequence."""

    block: ClassVar[str] = "encoder"
    kind: ClassVar[str] = "Encoder"
