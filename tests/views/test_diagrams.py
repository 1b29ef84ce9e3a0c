"""Architectures as pictures: nothing overlaps, text fits, wires begin and end at what they join."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir
from archspec.views.diagram.draw import diagram, plan_of
from tests.views.drawn import Area, Picture, read

HERE = Path(__file__).parent
SHIPPED = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))
OWN = sorted(path.stem for path in (HERE / "specs").glob("*.yaml"))
EVERY = [*SHIPPED, *OWN]


@cache
def document(name: str) -> str:
    own = HERE / "specs" / f"{name}.yaml"
    return diagram(load(own if own.exists() else name))


@cache
def picture(name: str) -> Picture:
    return read(document(name))


def solids(found: Picture) -> list[Area]:
    """What stands on the page and may not be covered."""
    return [*found.boxes, *found.joins, *found.labels]


@pytest.mark.parametrize("name", EVERY)
def test_everything_is_on_the_page(name: str) -> None:
    found = picture(name)
    for area in (*solids(found), *found.frames, *found.texts):
        assert found.whole.holds(area), area
    for wire in found.wires:
        assert all(found.whole.holds(Area(*point, *point)) for point in wire.points)


@pytest.mark.parametrize("name", EVERY)
def test_text_fits_its_box(name: str) -> None:
    for area, inside in picture(name).inside:
        for one in inside:
            assert area.shrunk(3).holds(one), (area, one)
        for one, other in combinations(inside, 2):
            assert not one.meets(other), (one, other)


@pytest.mark.parametrize("name", EVERY)
def test_no_two_boxes_overlap(name: str) -> None:
    found = picture(name)
    for one, other in combinations(solids(found), 2):
        assert not one.meets(other), (one, other)
    for one, other in combinations(found.frames, 2):
        assert not one.meets(other) or one.holds(other) or other.holds(one), (one, other)
    for frame in found.frames:
        for area in solids(found):
            assert frame.shrunk(3).holds(area) or not frame.meets(area), (frame, area)


@pytest.mark.parametrize("name", EVERY)
def test_no_text_is_covered(name: str) -> None:
    found = picture(name)
    for one, other in combinations(found.texts, 2):
        assert not one.meets(other), (one, other)
    for text in found.texts:
        for area in (*found.boxes, *found.joins):
            assert area.holds(text) or not area.meets(text), (area, text)
        for wire in found.wires:
            assert not wire.crosses(text), (wire, text)


@pytest.mark.parametrize("name", EVERY)
def test_wires_touch_what_they_join(name: str) -> None:
    found = picture(name)
    ends = [*solids(found), *found.frames]
    for wire in found.wires:
        others = [other for other in found.wires if other is not wire]
        start = wire.points[0]
        touches = any(area.on_border(start, 4.0) for area in ends) or any(other.passes(start) for other in others)
        assert touches, wire
        end = wire.tip or wire.points[-1]
        if wire.tip is not None:
            assert any(area.on_border(end, 4.0) for area in solids(found)), wire
        else:
            reached = any(area.on_border(end) for area in found.frames) or any(other.passes(end) for other in others)
            assert reached, wire


@pytest.mark.parametrize("name", EVERY)
def test_no_wire_runs_through_a_box(name: str) -> None:
    found = picture(name)
    for wire in found.wires:
        for area in solids(found):
            assert not wire.crosses(area.shrunk(2)), (wire, area)


@pytest.mark.parametrize("name", EVERY)
def test_wires_of_different_values_do_not_share_a_way(name: str) -> None:
    """Two wires that lie on one another come from one point."""
    found = picture(name)
    for one, other in combinations(found.wires, 2):
        for a, b in one.segments():
            for c, d in other.segments():
                if _together(a, b, c, d) > 6.0:
                    assert _joined(one.points[0], other.points[0], found), (one, other)


def _together(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]) -> float:
    """How far two straight pieces run on one another."""
    for k in (0, 1):
        if abs(a[k] - b[k]) < 0.2 and abs(c[k] - d[k]) < 0.2 and abs(a[k] - c[k]) < 1.5:
            low, high = (
                max(min(a[1 - k], b[1 - k]), min(c[1 - k], d[1 - k])),
                min(max(a[1 - k], b[1 - k]), max(c[1 - k], d[1 - k])),
            )
            return high - low
    return 0.0


def _joined(one: tuple[float, float], other: tuple[float, float], found: Picture) -> bool:
    """Whether two points are joined by wires."""
    reached, waiting = {one}, [one]
    while waiting:
        point = waiting.pop()
        for wire in found.wires:
            if wire.passes(point):
                new = {p for p in (*wire.points, wire.tip) if p is not None} - reached
                reached |= new
                waiting += new
    return any(wire.passes(other) for wire in found.wires if set(wire.points) & reached)


def notes_of(name: str, title: str) -> list[tuple[str, ...]]:
    own = HERE / "specs" / f"{name}.yaml"
    return [part.notes for part in plan_of(load(own if own.exists() else name)).walk() if part.title == title]


def test_what_is_said_of_parts() -> None:
    assert notes_of("qwen3-0.6b", "Self-attention") == [("16 heads of 128, 8 for keys", "QK norm, rotary", "causal")]
    assert notes_of("gemma-2-2b", "Self-attention") == [
        ("8 heads of 256, 4 for keys", "rotary, softcap 50", "last(4096)"),
        ("8 heads of 256, 4 for keys", "rotary, softcap 50", "causal"),
    ]
    assert notes_of("dinov3-small", "Self-attention") == [("6 heads of 64", "rotary in a grid")]
    assert notes_of("parallel", "Self-attention")[0] == ("4 heads of 64, 1 for keys", "ALiBi", "causal & last(100)")
    assert notes_of("mixtral-8x7b", "Mixture of 8 experts") == [
        ("2 of 8 for each token", "4,096 → 14,336 → 4,096", "SiLU, gated")
    ]
    assert notes_of("vit-h14", "Patch embedding") == [("14 × 14 patches, 3 → 1,280",)]
    assert notes_of("transformer-base", "Token embedding") == [
        ("37,000 × 512",),
        ("37,000 × 512", "shares source.table"),
    ]
    assert notes_of("resnet-50", "stage3") == [("6 × bottleneck", "as in stage1")]
    assert notes_of("convnext-tiny", "stage3") == [("9 × convnext layer", "10.8M parameters", "as in stage1")]
    assert notes_of("parallel", "dense decoder layer")[1] == ("as drawn before",)


def test_layers_stand_in_the_order_in_which_they_run() -> None:
    stacks = [part for part in plan_of(load(HERE / "specs" / "parallel.yaml")).parts if part.role == "stack"]
    assert [(part.times, part.title, part.inside is not None) for part in stacks] == [
        (2, "dense decoder layer", True),
        (9, "mixed decoder layer", True),
        (1, "dense decoder layer", False),
    ]
    (frame,) = [part for part in plan_of(load("gemma-2-2b")).parts if part.role == "stack"]
    assert frame.inside is not None
    assert (frame.times, [part.title for part in frame.inside.parts]) == (
        13,
        ["local decoder layer", "global decoder layer"],
    )


def test_an_encoder_feeds_the_cross_attention_of_every_layer() -> None:
    plan = plan_of(load("transformer-base"))
    memory, states = (
        next(k for k, part in enumerate(plan.parts) if part.name == name) for name in ("memory", "states")
    )
    (port,) = [wire.port for wire in plan.wires if (wire.source, wire.target) == (memory, states)]
    inside = plan.parts[states].inside
    assert inside is not None
    (reader,) = [wire.target for wire in inside.wires if wire.source == -1 - port]
    assert inside.parts[reader].title == "Cross-attention"
