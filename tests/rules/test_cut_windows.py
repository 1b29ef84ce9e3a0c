"""Windows that are cut out of a grid: what positions read, fields and pictures, against the windows by arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archspec import check
from archspec.analyses.field import ReceptiveFields
from archspec.checking import compile
from archspec.ir.graph import Value
from archspec.relation.atoms import identity
from archspec.rules.reads import Reads
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.grid import bits_of
from archspec.rules.wiring.wire import Wiring
from archspec.rules.wiring.world import World
from archspec.spec import Spec, load
from archspec.views.mask_picture import OPEN, mask_chart
from tests.options import option
from tests.parity.options import draft

Positions = dict[tuple[int, int], set[tuple[int, int]]]

TEXT = """
archspec: 1
name: grid
dims:
  batch: [1, 2, 4]
  rows: {{min: 4, typical: 4, max: 8, multiple: 2}}
  columns: {{min: 6, typical: 6, max: 12, multiple: 3}}
inputs:
  image: float[batch, rows, columns, 4]
  valid: bool[batch, rows, columns]
defaults: {{norm: {{kind: layer_norm}}}}
graph:
  x: {{block: rearrange, input: image, pattern: "b h w c -> b (h w) c"}}
  y:
    block: encoder
    input: x
    layers: {layers}
    residual: pre
    final_norm: false
    attention:
      heads: 2
      mask: {mask}
      windows: {{size: [2, 3]}}
      positions: {{kind: relative_grid, share: {share}}}
    feed_forward: none
    kinds: {{{kinds}}}
    pattern: [{pattern}]
  z: {{block: rearrange, input: y, pattern: "b (h w) c -> b h w c", sizes: {{h: rows}}}}
  v: {{block: rearrange, input: valid, pattern: "b h w -> b (h w)"}}
  u: {{block: pool, input: y, kind: mean, valid: v}}
outputs:
  z: float[batch, rows, columns, 4]
  u: float[batch, 4]
"""
KINDS = {"plain": "plain: {}", "shifted": "shifted: {attention: {windows: {shift: [1, 2]}}}"}
SHIFTS = {"plain": (0, 0), "shifted": (1, 2)}


def grid(*pattern: str, mask: str = "all", share: str = "false") -> Spec:
    """Layers of these kinds over a grid."""
    kinds = ", ".join(KINDS[kind] for kind in dict.fromkeys(pattern))
    made = TEXT.format(layers=len(pattern), kinds=kinds, pattern=", ".join(pattern), mask=mask, share=share)
    return draft(made)


def read(spec: Spec, rows: int, columns: int) -> Positions:
    """The positions of the image that each position of the result reads, by the composition of what ops read."""
    z, image = spec.values["z"], spec.values["image"]
    reads = Reads(spec.graph)
    cells = Cells(spec.graph, reads, [(z, image, identity(4))])
    wiring = Wiring(spec.graph, reads, cells, World({"batch": 1, "rows": rows, "columns": columns}, {}))
    out, inp = wiring.grid(z), wiring.grid(image)
    return {
        out.index(bit)[1:3]: {inp.index(one)[1:3] for one in bits_of(wiring.read(z, 1 << bit, image))}
        for bit in range(out.total)
    }


def by_hand(kinds: tuple[str, ...], rows: int, columns: int) -> Positions:
    """The same from the numbers of windows: along an axis, position i is in window `(i + size - shift) // size`."""
    places = [(r, c) for r in range(rows) for c in range(columns)]
    found = {place: {place} for place in places}
    for kind in kinds:
        down, along = SHIFTS[kind]
        number = {(r, c): ((r + 2 - down) // 2, (c + 3 - along) // 3) for r, c in places}
        found = {i: set().union(*(found[j] for j in places if number[i] == number[j])) for i in places}
    return found


@pytest.mark.parametrize("kinds", [("plain",), ("shifted",), ("plain", "shifted"), ("shifted", "plain", "shifted")])
def test_positions_read_their_windows_and_nothing_else(kinds: tuple[str, ...]) -> None:
    assert read(grid(*kinds), 6, 9) == by_hand(kinds, 6, 9)


def field(spec: Spec, value: Value, axis: int) -> int:
    """The extent of a field at the largest grid."""
    found = ReceptiveFields(spec.graph).of(value, spec.values["image"], axis)
    assert found is not None and found.extent is not None
    return found.extent.maximum()


@pytest.mark.parametrize("kinds", [("plain",), ("plain", "shifted"), ("shifted", "plain", "shifted")])
def test_fields_grow_with_each_layer_and_hold_what_is_read(kinds: tuple[str, ...]) -> None:
    spec, known = grid(*kinds), by_hand(kinds, 8, 12)
    for axis, size in ((0, 2), (1, 3)):
        widest = max(max(j[axis] for j in row) - min(j[axis] for j in row) + 1 for row in known.values())
        assert widest == size * len(kinds)
        assert widest <= field(spec, spec.values["z"], axis + 1) <= 1 + len(kinds) * 2 * (size - 1)


@option("attention_positions.share@relative_grid", "attention_positions.kind=relative_grid", "windows.size")
@pytest.mark.parametrize("share", ["true", "false"])
def test_windows_that_are_cut_out_and_those_of_a_mask_are_the_same(share: str) -> None:
    # Beside a mask, shifted windows are a mask over the grid: here it hides nothing.
    cut, whole = (grid("plain", "shifted", mask=mask, share=share) for mask in ("all", "key_valid(v)"))
    rolls = [sum(node.op.name == "roll" for node in spec.graph.walk()) for spec in (cut, whole)]
    assert rolls[0] > rolls[1] == 0
    modules = [compile(spec, unproved=True).double() for spec in (cut, whole)]
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 4, 9, 4, generator=generator, dtype=torch.float64)
    state = {
        name: torch.randn(one.shape, generator=generator, dtype=torch.float64)
        for name, one in modules[0].state_dict().items()
    }
    found = []
    for module in modules:
        module.load_state_dict(state)
        found.append(module.eval()(image=image, valid=torch.ones(2, 4, 9, dtype=torch.bool)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-10)


def test_a_mask_hides_what_it_hides_in_windows_too() -> None:
    text = TEXT.format(
        layers=2, kinds=", ".join(KINDS.values()), pattern="plain, shifted", mask="key_valid(v)", share="false"
    )
    rule = "rules:\n  - ignores: {output: u, input: image, where: not valid}\n"
    assert check(draft(text + rule)).verdicts[0].status == "proved"
    seen = draft(text.replace("mask: key_valid(v)", "mask: all") + rule)
    assert check(seen).verdicts[0].status == "violated"


@pytest.mark.parametrize(("kind", "shift"), [(0, 0), (1, 1)])
def test_windows_are_drawn_over_the_grid(kind: int, shift: int) -> None:
    spec = load("swin-t", reduced=True)
    panel = mask_chart(spec, "stage1").panels[kind]
    # The first sixteen positions are the first row.
    number = (np.arange(16) + 2 - shift) // 2
    assert ((np.array(panel.cells) == OPEN) == (number[:, None] == number)).all()
    assert panel.notes[0] == ("windows(2 x 2, shift 1 x 1)" if shift else "windows(2 x 2)")
