"""What changed in meaning between two specs, as plain data."""

from __future__ import annotations

from typing import Literal

from archspec.record import record

Kind = Literal[
    "interface",
    "dims",
    "cost",
    "cache",
    "field",
    "mask",
    "sizes",
    "computation",
    "training",
    "rule",
    "decode",
    "weights",
    "stored",
    "loss",
]
"""What a change is about; the last two are of bundles."""
Effect = Literal[
    "", "wider", "narrower", "incomparable", "gained", "lost", "stronger", "weaker", "replaced", "verdict", "exchanged"
]
"""How what is allowed, stated or there has changed, where that has a direction."""


@record
class Change:
    """One change: what it is about, the paths or names that it concerns, a line of text, and both sides of it."""

    kind: Kind
    places: tuple[str, ...]
    text: str
    before: str | None = None
    after: str | None = None
    effect: Effect = ""


@record
class Renamed:
    """Something that has another name: `what` is a node, a dim, an input or an output."""

    what: str
    before: str
    after: str


@record
class OtherShape:
    """A parameter that has another shape; `*` in its name, which is that of the second spec, stands for all layers."""

    name: str
    before: str
    after: str
    count: int


@record
class Loading:
    """Whether the parameters of the first spec load into the second.

    Names are patterns with `*` for the numbers of all layers, or the numbers of some. `moves` are names that differ,
    `misfits` other shapes, `missing` what the first spec has not, `unused` what the second has not; the last two hold
    how many tensors each pattern stands for.
    """

    moves: tuple[tuple[str, str], ...] = ()
    misfits: tuple[OtherShape, ...] = ()
    missing: tuple[tuple[str, int], ...] = ()
    unused: tuple[tuple[str, int], ...] = ()

    @property
    def loads(self) -> bool:
        """Whether every parameter of the second spec can be had."""
        return not (self.misfits or self.missing)


@record
class Changes:
    """What changed between two specs; names alone are `renamed`, and change nothing."""

    before: str
    after: str
    changes: tuple[Change, ...]
    renamed: tuple[Renamed, ...]
    checkpoint: Loading

    @property
    def same(self) -> bool:
        """Whether both mean the same."""
        return not self.changes
