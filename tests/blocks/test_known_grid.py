"""A written grid of patches must be the one that they were cut by; a sequence whose grid is not certain is free."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.diagnostics import SpecError
from tests.editing import edited
from tests.parity.options import draft

ROOT = Path(__file__).parents[2]

SPEC = """
archspec: 1
name: grids
dims: {{batch: [1, 2, 4], rows: {{min: 4, typical: 8, max: 12, multiple: 4}}}}
inputs:
  pixels: float[batch, 3, 6*4, 8*4]
  tall: float[batch, 3, rows*4, 12*4]
  plain: float[batch, 48, 8]
  wide: float[batch, 6, 64]
defaults: {{norm: layer_norm}}
graph:
  patches: {{block: patch_embedding, input: pixels, patch: 4, dim: 8}}
  tokens: {{block: patch_embedding, input: pixels, patch: 4, dim: 8, class_token: true, registers: REGISTERS,
    positions: learned}}
  long: {{block: patch_embedding, input: tall, patch: 4, dim: 8}}
  seen: {{block: encoder, input: tokens, layers: 2, residual: pre, final_norm: true,
    attention: {{heads: 1, mask: all}}, feed_forward: {{hidden: 8, activation: gelu}}}}
  map: {{block: conv, input: pixels, channels: 8, kernel: 4, stride: 4}}
  flat: {{block: rearrange, input: map, pattern: "b c h w -> b (h w) c"}}
  normed: [{{block: norm, input: map, kind: batch_norm}}, {{block: rearrange, pattern: "b c h w -> b (h w) c"}}]
  joined: {{block: concat, inputs: [patches, patches], axis: 1}}
  turned: {{block: rearrange, input: map, pattern: "b c h w -> b (w h) c"}}
  split: {{block: rearrange, input: wide, pattern: "b n (k c) -> b (n k) c", sizes: {{c: 8}}}}
  merged: {{block: patch_merging, input: patches, dim: 8}}
  doubled: plain * 2
  y: {node}
outputs:
  patches: "float[batch, 48, 8]"
"""
ROTARY = "positions: {{kind: rotary_grid, grid: [{}], layout: half, coordinates: index}}"
RELATIVE = "positions: {{kind: relative_grid, rows: {}, columns: {}, share: false}}"


def _attention(x: str, more: str) -> str:
    return f"{{block: attention, query: {x}, heads: 1, mask: all, {more}}}"


def _found(node: str, registers: int = 0) -> list[tuple[str, str]]:
    """Codes and messages of what is refused."""
    try:
        draft(SPEC.format(node=node).replace("REGISTERS", str(registers)))
    except SpecError as error:
        return [(found.code, found.message) for found in error.diagnostics if found.severity == "error"]
    return []


@pytest.mark.parametrize(
    ("node", "given", "sides"),
    [
        *((_attention("tokens", ROTARY.format(g)), g, "6 by 8") for g in ("8, 6", "48, 1", "5, 8", "7, 7")),
        (_attention("seen", ROTARY.format("8, 6")), "8, 6", "6 by 8"),
        (_attention("patches", "windows: {grid: [8, 6], size: 2}"), "8, 6", "6 by 8"),
        (_attention("flat", "windows: {grid: [8, 6], size: 2}"), "8, 6", "6 by 8"),
        (_attention("normed", "windows: {grid: [8, 6], size: 2}"), "8, 6", "6 by 8"),
        (_attention("turned", "windows: {grid: [6, 8], size: 2}"), "6, 8", "8 by 6"),
        (_attention("patches", RELATIVE.format(8, 6)), "8, 6", "6 by 8"),
        (_attention("merged", ROTARY.format("4, 3")), "4, 3", "3 by 4"),
        ("{block: patch_merging, input: long, grid: [12, rows], dim: 8}", "12, rows", "rows by 12"),
    ],
)
def test_another_grid_than_that_of_the_patches_is_refused(node: str, given: str, sides: str) -> None:
    message = f"the grid has {given.replace(', ', ' by ')} positions, but the patches or the map have {sides}"
    assert [(code, text.replace("`", "")) for code, text in _found(node)] == [("E345", message)]


@pytest.mark.parametrize("registers", [0, 3])
@pytest.mark.parametrize("grid", ["6, 8", "8, 6"])
def test_tokens_and_registers_in_front_are_counted(registers: int, grid: str) -> None:
    assert bool(_found(_attention("tokens", ROTARY.format(grid)), registers)) == (grid == "8, 6")


@pytest.mark.parametrize(
    "node",
    [
        _attention("tokens", ROTARY.format("6, 8")),
        _attention("seen", ROTARY.format("6, 8")),
        _attention("patches", "windows: {grid: [6, 8], size: 2}"),
        _attention("flat", "windows: {grid: [6, 8], size: 2}"),
        _attention("turned", "windows: {grid: [8, 6], size: 2}"),
        _attention("patches", RELATIVE.format(6, 8)),
        _attention("merged", ROTARY.format("3, 4")),
        "{block: patch_merging, input: long, grid: [rows, 12], dim: 8}",
        # Nothing says that these are rows and columns.
        _attention("plain", "windows: {grid: [8, 6], size: 2}"),
        _attention("joined", "windows: {grid: [12, 8], size: 2}"),
        _attention("plain", ROTARY.format("7, 6")),
        _attention("split", "windows: {grid: [12, 4], size: 2}"),
    ],
)
def test_the_grid_of_the_patches_and_any_grid_of_others_is_accepted(node: str) -> None:
    assert _found(node) == []


INSIDE = """
blocks:
  mixer:
    fields: {down: size, along: size}
    inputs:
      x: float[b, n, c]
    graph:
      y:
        block: attention
        query: x
        heads: 1
        mask: all
        positions: {kind: rotary_grid, grid: [down, along], layout: half, coordinates: index}
    outputs:
      y: float[b, n, c]
  outer:
    inputs:
      image: float[b, k, h, w]
      x: float[b, n, c]
    graph:
      map: {block: conv, input: image, channels: 8, kernel: 4, stride: 4}
      flat: {block: rearrange, input: map, pattern: "b c h w -> b (h w) c"}
      normed: {block: norm, input: GIVEN}
      y: {block: mixer, x: normed, down: DOWN, along: ALONG}
    outputs:
      y: float[b, n, c]
  turn:
    inputs:
      x: float[b, n, c]
    graph:
      split: {block: rearrange, input: x, pattern: "b (h w) c -> b c h w", sizes: {h: SIX}}
      mixed: {block: conv, input: split, channels: 8, kernel: 1}
      y: {block: rearrange, input: mixed, pattern: "b c h w -> b (w h) c"}
    outputs:
      y: float[b, n, c]
graph:"""


def _in_blocks(node: str, **given: object) -> list[str]:
    """Messages of what is refused, of a node that uses composite blocks."""
    text = SPEC.format(node=node).replace("REGISTERS", "0").replace("\ngraph:", INSIDE, 1)
    for name, value in {"GIVEN": "x", "DOWN": 6, "ALONG": 8, "SIX": 6, **given}.items():
        text = text.replace(name, str(value))
    try:
        draft(text)
    except SpecError as error:
        return [found.message.replace("`", "") for found in error.diagnostics if found.severity == "error"]
    return []


@pytest.mark.parametrize("given", ["x", "flat + x"])
@pytest.mark.parametrize(("down", "along"), [(6, 8), (8, 6), (48, 1)])
def test_a_grid_inside_composite_blocks_is_compared_with_what_they_are_called_with(
    given: str, down: int, along: int
) -> None:
    """A value that comes in from outside of two blocks, and one that the outer of them flattens."""
    found = _in_blocks("{block: outer, image: pixels, x: patches}", GIVEN=given, DOWN=down, ALONG=along)
    message = f"the grid has {down} by {along} positions, but the patches or the map have 6 by 8"
    assert found == ([] if (down, along) == (6, 8) else [message])


@pytest.mark.parametrize(("repeat", "refused"), [("", True), (", repeat: 2", False)])
def test_the_grid_that_layers_turn_is_not_certain(repeat: str, refused: bool) -> None:
    """Turned once it is 8 by 6; what the layers of a stack make of it is not followed."""
    node = f"[{{block: turn, x: patches{repeat}}}, {_attention('GRID', 'windows: {grid: [8, 6], size: 2}')}]"
    right, wrong = (node.replace("query: GRID, ", "").replace("8, 6", grid) for grid in ("8, 6", "6, 8"))
    assert _in_blocks(right) == []
    assert bool(_in_blocks(wrong)) == refused


@pytest.mark.parametrize(
    ("name", "old", "new", "holds"),
    [
        ("dinov3-small", "grid: [height//patch, width//patch]", "grid: [height//patch, width//patch]", True),
        ("dinov3-small", "grid: [height//patch, width//patch]", "grid: [width//patch, height//patch]", False),
        ("swin-t", "merge2: {", "merge2: {grid: [56, 56], ", True),
        ("swin-t", "merge2: {", "merge2: {grid: [28, 112], ", False),
    ],
)
def test_grids_of_shipped_specs(name: str, old: str, new: str, holds: bool) -> None:
    text = edited((ROOT / "specs" / f"{name}.yaml").read_text(), (old, new))
    if holds:
        draft(text)
    else:
        with pytest.raises(SpecError, match="E345"):
            draft(text)
