"""The path of a leak in a diagram: which parts and wires of a plan it goes through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from archspec.ir.graph import Node
from archspec.rules.leaked import LeakPath
from archspec.views.diagram.plan import DiagramPart, DiagramPlan, DiagramWire

_OUTSIDE = None


def lit(plan: DiagramPlan, leak: LeakPath) -> DiagramPlan:
    """The plan of a whole diagram with the path of a leak: from its input through its nodes to its output."""
    ends = {
        (part.role, part.title): number for number, part in enumerate(plan.parts) if part.role in ("input", "output")
    }
    first, last = ends.get(("input", leak.source), _OUTSIDE), ends.get(("output", leak.output), _OUTSIDE)
    return _lit(plan, leak, [first, *_visited(plan, leak.nodes), last])


def _lit(plan: DiagramPlan, leak: LeakPath, visited: Sequence[int | None]) -> DiagramPlan:
    """A plan with a path through it.

    Args:
        plan: the plan.
        leak: the leak.
        visited: the parts that the path goes through in order, `_OUTSIDE` where it leaves the plan.
    """
    passed = set(visited)
    parts = tuple(_passed(part, leak) if number in passed else part for number, part in enumerate(plan.parts))
    taken = {wire for pair in pairwise(visited) for wire in _between(plan, *pair)}
    wires = tuple(replace(wire, lit=wire in taken) for wire in plan.wires)
    return replace(plan, parts=parts, wires=wires)


def _passed(part: DiagramPart, leak: LeakPath) -> DiagramPart:
    """A part on the path, and the path inside it."""
    inside = part.inside
    if inside is not None:
        inside = _lit(inside, leak, [_OUTSIDE, *_visited(inside, leak.nodes)])
    # Of nested parts the innermost is accused.
    inner = inside is not None and any(one.accused for one in inside.parts)
    accused = leak.culprit in part.nodes and not inner and _is_own(inside, leak.culprit)
    return replace(part, inside=inside, lit=True, accused=accused)


def _is_own(inside: DiagramPlan | None, culprit: Node | None) -> bool:
    """Whether no part inside stands for a node."""
    return inside is None or not any(culprit in one.nodes for one in inside.parts)


def _visited(plan: DiagramPlan, nodes: Sequence[Node]) -> Iterator[int | None]:
    """The parts that nodes belong to in turn; a node that is not drawn is left out, where its plan is not left."""
    # Layers with the same body are drawn once: the first part that stands for a node has it inside.
    own = {node: number for number, part in reversed([*enumerate(plan.parts)]) for node in part.nodes}
    before: int | None = _OUTSIDE
    for node in nodes:
        number = own.get(node)
        if number is not None and number != before:
            yield number
            before = number


def _between(plan: DiagramPlan, one: int | None, other: int | None) -> Iterator[DiagramWire]:
    """The wires by which a path comes from one part to the next; from outside where no wire joins them."""
    if other is None:
        return
    direct = [wire for wire in plan.into(other) if wire.source == one]
    if direct:
        yield from direct
    else:
        # A further layer of a stack takes what the one before it gave, which is drawn as the input of both.
        yield from sorted((wire for wire in plan.into(other) if wire.source < 0), key=lambda wire: -wire.source)[:1]
