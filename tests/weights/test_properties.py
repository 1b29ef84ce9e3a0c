"""Maps drawn at random from all operations: loading follows the tensors by hand, and exporting undoes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from archspec.layouts.deferred import Box, Deferred
from archspec.layouts.operations import Shape
from archspec.weights import check_layout, export_weights, import_weights
from archspec.weights.transfer import deferred
from tests.weights.tables import layout_of, same


@dataclass
class Case:
    """Lines of a map, and both sides of it."""

    lines: list[str] = field(default_factory=list)
    theirs: dict[str, Tensor] = field(default_factory=dict)
    ours: dict[str, Tensor] = field(default_factory=dict)


def tensor(draw: st.DrawFn, shape: list[int]) -> Tensor:
    return torch.arange(prod(shape)).reshape(shape) + 1000 * draw(st.integers(0, 1000))


def step(draw: st.DrawFn, tensors: list[Tensor], name: str) -> tuple[list[Tensor], str]:
    """An operation on each tensor of one shape: the tensors after it, and how it is written."""
    shape = tensors[0].shape
    if name == "transpose" or len(shape) < 2:
        return [x.swapaxes(-1, -2) if x.dim() > 1 else x for x in tensors], "transpose: true"
    letters = [f"x{axis}" for axis in range(len(shape))]
    order = draw(st.permutations(range(len(shape))))
    turned = [letters[axis] for axis in order]
    left, right = f"1 {' '.join(letters)}", f"({turned[0]} {turned[1]}) {' '.join(turned[2:])}"
    open_size = f"{turned[0]}: {shape[order[0]]}"
    made = [x.permute(order).flatten(0, 1) for x in tensors]
    tensors[:] = [x[None] for x in tensors]
    return made, f'rearrange: "{left} -> {right}", sizes: {{{open_size}}}'


def add_line(draw: st.DrawFn, case: Case, number: int, index: str) -> None:
    """One line of a random kind at one layer; the tensors are made from theirs to ours, operation by operation."""
    kind = draw(st.sampled_from(["one", "split", "concat", "stack", "experts", "concat-split"]))
    shape = [draw(st.integers(1, 4)) for _ in range(draw(st.integers(1, 3)))]
    count = 1 if kind in ("one", "split") else draw(st.integers(2, 3))
    axis = draw(st.integers(0, len(shape) - 1))
    uneven = kind.startswith("concat") and draw(st.booleans())
    theirs = [tensor(draw, [*shape]) for _ in range(count)]
    if uneven:
        wide = [size + (place == axis) for place, size in enumerate(shape)]
        theirs[0] = tensor(draw, wide)
    written: list[str] = []
    made = list(theirs)
    if not uneven and draw(st.booleans()):
        made, text = step(draw, theirs, draw(st.sampled_from(["transpose", "rearrange"])))
        written.append(text)
        axis = min(axis, made[0].dim() - 1)
    if kind in ("stack", "experts"):
        made = [torch.stack(made, axis)]
        written.append(f"stack: {axis}")
    elif kind.startswith("concat"):
        made = [torch.cat(made, axis)]
        written.append(f"concat: {axis}")
    if kind.endswith("split"):
        whole = made[0]
        first = draw(st.integers(0, whole.shape[axis]))
        made = list(whole.split([first, whole.shape[axis] - first], axis))
        written.append(f"split: {axis - whole.dim() if draw(st.booleans()) else axis}")
        if "transpose: true" not in written and draw(st.booleans()):
            made = [x.swapaxes(-1, -2) if x.dim() > 1 else x for x in made]
            written.append("transpose: true")
    _write(case, number, index, kind, theirs, made, written)


def _write(
    case: Case, number: int, index: str, kind: str, theirs: list[Tensor], made: list[Tensor], written: list[str]
) -> None:
    names = [f"t{number}.w{place}" for place in range(len(theirs))]
    if kind == "experts":
        names = [f"t{number}.e{place}".replace("e", "experts.") for place in range(len(theirs))]
        source = f"t{number}.experts.*"
    else:
        source = f"[{', '.join(names)}]" if len(names) > 1 else names[0]
    case.theirs.update({f"h.{index}.{name}": x for name, x in zip(names, theirs, strict=True)})
    parts = ["q", "k"][: len(made)]
    case.ours.update({f"layers.{index}.m{number}.{part}": x for part, x in zip(parts, made, strict=True)})
    ours = f"m{number}.(q k)" if len(made) > 1 else f"m{number}.q"
    case.lines.append(f"      {ours}: {{from: {source}{''.join(f', {text}' for text in written)}}}")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    case = Case()
    for number in range(draw(st.integers(1, 3))):
        add_line(draw, case, number, "3")
    return case


@given(cases(), st.sampled_from(["", "model."]))
def test_loading_follows_the_operations_and_exporting_undoes_them(case: Case, prefix: str) -> None:
    text = "\n".join(["prefix: [model., '']", "map:", "  layers.*:", "    from: h.*", "    map:", *case.lines])
    layout = layout_of(text)
    shapes = {name: tuple(x.shape) for name, x in case.ours.items()}
    theirs = {prefix + name: x for name, x in case.theirs.items()}
    like = {name: tuple(x.shape) for name, x in theirs.items()}
    check_layout(shapes, layout, like)
    made = import_weights(shapes, layout, theirs)
    assert same(made, case.ours)
    assert same(export_weights(shapes, layout, made, like), theirs)


PAIRS = '{from: a, rearrange: "(h r p) d -> (h p r) d", sizes: {h: 2, p: 2}}'


class Held(Deferred):
    """A tensor in memory that counts the entries that are read of it."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor.shape)
        self.tensor, self.count = tensor, 0

    def read(self, box: Box) -> Tensor:
        part = self.tensor[tuple(slice(start, stop) for start, stop in box)]
        assert part.numel() == prod(stop - start for start, stop in box)
        self.count += part.numel()
        return part


@given(cases(), st.data())
def test_a_box_of_ours_is_read_as_it_lies_in_the_whole(case: Case, data: st.DataObject) -> None:
    layout = layout_of("\n".join(["map:", "  layers.*:", "    from: h.*", "    map:", *case.lines]))
    shapes = {name: tuple(x.shape) for name, x in case.ours.items()}
    matched = check_layout(shapes, layout, {name: tuple(x.shape) for name, x in case.theirs.items()})
    for step in matched.steps:
        rows: list[list[Deferred]] = [[Held(case.theirs[name]) for name in row] for row in step.theirs]
        made = deferred(step.operations, rows, [shapes[name] for name in step.ours])
        for name, source in zip(step.ours, made, strict=True):
            assert source.shape == shapes[name]
            starts = [data.draw(st.integers(0, max(size - 1, 0))) for size in source.shape]
            box = [
                (start, data.draw(st.integers(start + 1, size))) if size else (0, 0)
                for start, size in zip(starts, source.shape, strict=True)
            ]
            if all(source.shape):
                assert torch.equal(source.read(tuple(box)), case.ours[name][tuple(slice(*one) for one in box)])


@pytest.mark.parametrize(
    ("line", "theirs", "ours", "box", "count"),
    [
        ("{from: a, transpose: true}", (6, 8), (8, 6), ((2, 4), (0, 6)), 12),
        (
            '{from: a, rearrange: "(h r p) d -> (h p r) d", sizes: {h: 2, p: 2}}',
            (12, 3),
            (12, 3),
            ((6, 12), (0, 3)),
            18,
        ),
        ('{from: a, rearrange: "(h r p) d -> (h p r) d", sizes: {h: 2, p: 2}}', (12, 3), (12, 3), ((3, 6), (0, 3)), 18),
        ('{from: a, rearrange: "(h t d) e -> (t h d) e", sizes: {h: 2, t: 3}}', (12, 2), (12, 2), ((0, 2), (0, 2)), 4),
        ("{from: [a, b], concat: 0}", (4, 3), (8, 3), ((4, 8), (0, 3)), 12),
        ("{from: [a, b], stack: 1}", (4, 3), (4, 2, 3), ((0, 4), (1, 2), (0, 1)), 4),
    ],
)
def test_what_is_read_for_a_box_is_no_more_than_the_operation_needs(
    line: str, theirs: Shape, ours: Shape, box: Box, count: int
) -> None:
    layout = layout_of(f"map: {{w: {line}}}")
    names = ["a", "b"] if "[a, b]" in line else ["a"]
    held = {name: Held(torch.arange(prod(theirs)).reshape(theirs) + 100 * place) for place, name in enumerate(names)}
    (step,) = check_layout({"w": ours}, layout, dict.fromkeys(names, theirs)).steps
    (whole,) = import_weights({"w": ours}, layout, {name: one.tensor for name, one in held.items()}).values()
    (source,) = deferred(step.operations, [[held[name]] for name in names], [ours])
    assert torch.equal(source.read(box), whole[tuple(slice(*one) for one in box)])
    assert sum(one.count for one in held.values()) == count
