"""The block `avg_pool`."""

from __future__ import annotations

from typing import ClassVar, Literal

from archspec.blocks.max_pool import MaxPoolBlock


class AvgPoolBlock(MaxPoolBlock):
    """The mean of each window of a map; padding counts as zeros."""

    block: ClassVar[str] = "avg_pool"
    makes_map = True
    _kind: ClassVar[Literal["max", "mean"]] = "mean"
