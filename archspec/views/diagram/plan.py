"""What a diagram shows: parts, what is inside them, and the wires between them. Nothing here has a place yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Literal

from archspec.record import record

Role = Literal[
    "input",
    "output",
    "attention",
    "feed_forward",
    "norm",
    "embedding",
    "linear",
    "convolution",
    "pool",
    "sum",
    "product",
    "small",
    "aside",
    "stack",
    "group",
]
"""What a part does, by which it is coloured. An aside is made of nothing that flows; a stack is repeated."""


@record
class Thumb:
    """A small picture of a mask: which keys each query may attend to."""

    cells: tuple[tuple[bool, ...], ...]


@record
class DiagramPart:
    """One thing that is drawn. `kind` is the op or module that it is, `gives` the type of its value.

    `times` says how often it runs, and `inside` what it is made of, where that is drawn.
    """

    role: Role
    title: str
    kind: str = ""
    notes: tuple[str, ...] = ()
    mask: Thumb | None = None
    inside: DiagramPlan | None = None
    times: int = 1
    gives: str = field(default="", compare=False)
    name: str = field(default="", compare=False)

    @property
    def is_box(self) -> bool:
        """Whether it is drawn as a box with text, all of one width in a column."""
        return self.inside is None and self.role not in ("input", "output", "sum", "product", "aside")


@record(kw_only=False)
class DiagramWire:
    """A value that flows. `source` is a part, or for `-1 - k` input k of the plan.

    `main` marks what a part works on; `port` is the number of the input of what is inside the target.
    """

    source: int
    target: int
    main: bool = True
    port: int = 0


@record
class DiagramPlan:
    """Parts in an order in which each comes after what it reads; `result` is where the plan's value is from."""

    parts: tuple[DiagramPart, ...]
    wires: tuple[DiagramWire, ...]
    result: int

    @property
    def asked(self) -> tuple[int, ...]:
        """The numbers of the inputs that are read."""
        found = {-1 - wire.source for wire in self.wires if wire.source < 0}
        return tuple(sorted(found | ({-1 - self.result} if self.result < 0 else set())))

    def into(self, part: int) -> list[DiagramWire]:
        """What a part reads."""
        return [wire for wire in self.wires if wire.target == part]

    def out_of(self, part: int) -> list[DiagramWire]:
        """What reads a part."""
        return [wire for wire in self.wires if wire.source == part]

    def walk(self) -> Iterator[DiagramPart]:
        """All parts, those inside others after them."""
        for part in self.parts:
            yield part
            if part.inside is not None:
                yield from part.inside.walk()
