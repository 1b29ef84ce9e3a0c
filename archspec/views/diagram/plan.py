"""The contents of a diagram: parts, their insides, and the wires between them, without positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Literal

from archspec.ir.graph import Node
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
"""The function of a part, which gives its colour. An `aside` reads no other part; a `stack` is repeated."""


@record
class Thumb:
    """A small picture of a mask: which keys each query may attend to."""

    cells: tuple[tuple[bool, ...], ...]


@record
class DiagramPart:
    """One drawn element. `kind` is the word of its op or module, `gives` the type of its value.

    `times` is the number of repetitions, and `inside` the plan of its contents if they are drawn. `nodes` are those of
    the graph that it stands for. `lit` says that a path goes through it, and `accused` that the path is its fault.
    Types, names and nodes do not count when parts are compared, so that parts that look alike are equal.
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
    nodes: frozenset[Node] = field(default=frozenset(), compare=False, repr=False)
    lit: bool = field(default=False, compare=False)
    accused: bool = field(default=False, compare=False)

    @property
    def is_box(self) -> bool:
        """Whether it is drawn as a box with text; boxes in one column have the same width."""
        return self.inside is None and self.role not in ("input", "output", "sum", "product", "aside")


@record(kw_only=False)
class DiagramWire:
    """A value that flows to `target`. `source` is the number of a part, or `-1 - k` for input k of the plan.

    `main` marks the main operand of a part; `port` is the number of the input inside the target. `lit` says that a path
    goes along it.
    """

    source: int
    target: int
    main: bool = True
    port: int = 0
    lit: bool = field(default=False, compare=False)


@record
class DiagramPlan:
    """Parts in topological order, and their wires; `result` is the source of the plan's value."""

    parts: tuple[DiagramPart, ...]
    wires: tuple[DiagramWire, ...]
    result: int

    @property
    def read_inputs(self) -> tuple[int, ...]:
        """The numbers of the plan's inputs that are read, in order."""
        found = {-1 - wire.source for wire in self.wires if wire.source < 0}
        return tuple(sorted(found | ({-1 - self.result} if self.result < 0 else set())))

    def into(self, part: int) -> list[DiagramWire]:
        """The wires into a part."""
        return [wire for wire in self.wires if wire.target == part]

    def out_of(self, part: int) -> list[DiagramWire]:
        """The wires out of a part, or out of an input given as `-1 - k`."""
        return [wire for wire in self.wires if wire.source == part]

    def count_wires(self) -> int:
        """The number of all wires, those inside parts too."""
        return len(self.wires) + sum(part.inside.count_wires() for part in self.parts if part.inside is not None)

    def walk(self) -> Iterator[DiagramPart]:
        """All parts, each followed by those inside it."""
        for part in self.parts:
            yield part
            if part.inside is not None:
                yield from part.inside.walk()
