"""The path of a leak in a diagram: one thick line from the input of the rule to its output, and the node at fault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations, pairwise
from xml.etree.ElementTree import Element, fromstring

import networkx as nx
import pytest

from archspec.checking import check
from archspec.rules.verdict import Verdict
from archspec.spec import load
from archspec.views.diagram.draw import LEAK, diagram
from tests.views.drawn import SVG, Area, Point

# Of each spec what is overridden, the rule that this violates, and the title of the part at fault.
LEAKING = [
    ("minilm-l6", {"graph.states.attention.mask": "all"}, "output: embedding", "Self-attention"),
    ("transformer-base", {"graph.states.cross_attention.mask": "all"}, "ignores", "Cross-attention"),
    # Norms before the layers, and positions from a table.
    ("t5-small", {"graph.states.cross_attention.mask": "all"}, "ignores", "Cross-attention"),
    # Two kinds of layers in turn.
    ("modernbert-base", {"graph.states.kinds.local.attention.mask": "within(reach)"}, "segments", "Self-attention"),
]


def leaking(name: str, changes: dict[str, str], rule: str) -> tuple[str, Verdict]:
    report = check(name, set=changes, reduced=True)
    verdict = next(one for one in report.verdicts if one.leak is not None and rule in str(one.rule))
    return diagram(report.spec, verdict.leak), verdict


@dataclass(frozen=True)
class Stroke:
    """Something thick: the corners of a line, or the area of a box."""

    points: tuple[Point, ...]
    area: Area | None = None

    def touches(self, other: Stroke) -> bool:
        """Whether an end of one is on the other."""
        return self._ends_on(other) or other._ends_on(self)

    def _ends_on(self, other: Stroke) -> bool:
        ends = (self.points[0], self.points[-1]) if self.points else ()
        return any(other._has(end) for end in ends)

    def _has(self, point: Point) -> bool:
        # Six pixels are the head of an arrow.
        if self.area is not None:
            return self.area.shrunk(-6).holds(Area(*point, *point))
        return any(
            Area(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
            .shrunk(-2)
            .holds(Area(*point, *point))
            for a, b in pairwise(self.points)
        )


def strokes(root: Element) -> list[Stroke]:
    """The thick lines and boxes; frames around several parts join nothing and are left out."""
    found = []
    for group in root.iter(f"{SVG}g"):
        for one in group:
            if one.get("stroke") != LEAK or group.get("class") == "frame":
                continue
            assert float(one.attrib["stroke-width"]) >= 2, "a colour alone says nothing"
            if one.tag == f"{SVG}path":
                numbers = [float(word) for word in re.findall(r"-?[\d.]+", one.attrib["d"])]
                found.append(Stroke(tuple(zip(numbers[::2], numbers[1::2], strict=True))))
            elif one.tag == f"{SVG}rect":
                x, y, wide, high = (float(one.attrib[key]) for key in ("x", "y", "width", "height"))
                found.append(Stroke((), Area(x, y, x + wide, y + high)))
            else:
                x, y, radius = (float(one.attrib[key]) for key in ("cx", "cy", "r"))
                found.append(Stroke((), Area(x - radius, y - radius, x + radius, y + radius)))
    return found


def label(root: Element, words: str) -> Area:
    """Where the name of an input or an output stands, with the type below it."""
    (found,) = (
        one
        for one in root.iter(f"{SVG}text")
        if one.text == words and one.get("font-weight") == "bold" and one.get("text-anchor")
    )
    x, y = float(found.attrib["x"]), float(found.attrib["y"])
    return Area(x - 6, y - 20, x + 6, y + 26)


@pytest.mark.parametrize(("name", "changes", "rule", "fault"), LEAKING)
def test_a_thick_line_joins_the_input_and_the_output_of_the_rule(
    name: str, changes: dict[str, str], rule: str, fault: str
) -> None:
    drawn, verdict = leaking(name, changes, rule)
    root, leak = fromstring(drawn), verdict.leak
    assert leak is not None
    found = [*strokes(root), Stroke((), label(root, leak.source)), Stroke((), label(root, leak.output))]
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(found)))
    graph.add_edges_from((i, j) for i, j in combinations(range(len(found)), 2) if found[i].touches(found[j]))
    ends = nx.node_connected_component(graph, len(found) - 2)
    assert len(found) - 1 in ends
    # Nothing thick lies apart from it.
    assert len(ends) == len(found)
    assert [box_at(root, badge) for badge in badges(root)] == [fault]


def badges(root: Element) -> list[Point]:
    """Where parts are marked as at fault."""
    groups = (group for group in root.iter(f"{SVG}g") if group.get("class") == "badge")
    return [
        (float(one.attrib["cx"]), float(one.attrib["cy"])) for group in groups for one in group.iter(f"{SVG}circle")
    ]


def box_at(root: Element, corner: Point) -> str | None:
    """The title of the box with this upper left corner."""
    for group in root.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        if rect is not None and (float(rect.attrib["x"]), float(rect.attrib["y"])) == corner:
            return group.get("data-part")
    return None


def test_without_a_leak_nothing_is_thick() -> None:
    assert LEAK not in diagram(load("transformer-base", reduced=True))
