"""The path of a leak as data, which a picture draws."""

from __future__ import annotations

from archspec.ir.graph import Node
from archspec.record import record


@record(eq=False)
class LeakPath:
    """A path by which an output depends on an input although a rule forbids it.

    `source` and `output` are their names, `nodes` the primitives of the path from the source to the output, `culprit`
    the one that reads farthest ahead, and `lines` the path in words, as the diagnostic notes it.
    """

    source: str
    output: str
    nodes: tuple[Node, ...]
    culprit: Node | None
    lines: tuple[str, ...]
