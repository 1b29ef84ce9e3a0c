"""Attention within windows of a grid, against Swin of transformers and against cutting a grid into windows by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from archspec import check, weights
from archspec.analyses.field import ReceptiveFields
from archspec.checking import compile
from archspec.diagnostics import SpecError
from archspec.oracle.interpreter import interpret
from archspec.spec import load
from tests.blocks.surroundings import complaints
from tests.editing import edited
from tests.options import option
from tests.parity.models import TOLERANCE, fill
from tests.parity.options import draft

transformers = pytest.importorskip("transformers")

SWIN = """
archspec: 1
name: windowed
constants: {{d: 16, rows: {rows}, columns: {columns}}}
dims: {{batch: [1, 2, 4]}}
inputs:
  pixels: float[batch, 3, 4*rows, 4*columns]
defaults: {{norm: {{kind: layer_norm, eps: 1e-5}}}}
blocks:
  stage:
    fields: {{heads: size, rows: size, columns: size, shift: number}}
    inputs:
      x: float[b, n, d]
    graph:
      y:
        block: encoder
        input: x
        layers: 2
        residual: pre
        final_norm: false
        attention:
          heads: heads
          mask: all
          windows: {{grid: [rows, columns], size: 4}}
          positions: {{kind: relative_grid, rows: 4, columns: 4, share: false}}
        feed_forward: {{hidden: 4*d, activation: gelu}}
        kinds: {{plain: {{}}, shifted: {{attention: {{windows: {{shift: shift}}}}}}}}
        pattern: [plain, shifted]
    outputs:
      y: float[b, n, d]
graph:
  patches: {{block: patch_embedding, input: pixels, patch: 4, dim: d, norm: true}}
  stage1: {{block: stage, x: patches, heads: 2, rows: rows, columns: columns, shift: 2}}
  merged:
    - block: rearrange
      input: stage1
      pattern: "b (h p w q) c -> b (h w) (q p c)"
      sizes: {{h: rows // 2, p: 2, w: columns // 2, q: 2}}
    - {{block: norm}}
    - {{block: linear, dim: 2*d, bias: false}}
  stage2: {{block: stage, x: merged, heads: 4, rows: rows // 2, columns: columns // 2, shift: {last}}}
  logits: [{{block: norm, input: stage2}}, {{block: pool, kind: mean}}, {{block: linear, dim: 5}}]
outputs:
  logits: float[batch, 5]
weights:
  huggingface:
    map:
      patches.(weight bias): swin.embeddings.patch_embeddings.projection.(weight bias)
      patches.norm: swin.embeddings.norm
      stage(1 2).y.layers.*:
        from: swin.encoder.layers.(0 1).blocks.*
        map:
          attention_norm: layernorm_before
          attention.(q k v out): attention.(q k v o)_proj
          attention.positions: attention.relative_position_bias.relative_position_bias_table
          feed_forward_norm: layernorm_after
          feed_forward.(up down): mlp.fc(1 2)
      merged.(1 2): swin.encoder.layers.0.downsample.(norm reduction)
      logits.0: swin.layernorm
      logits.2: classifier
"""


@option("attention.windows", "windows.grid", "windows.size", "windows.shift", "attention_positions.kind=relative_grid")
@pytest.mark.parametrize(("rows", "columns", "last"), [(16, 16, 2), (8, 16, 0)])
def test_swin(rows: int, columns: int, last: int) -> None:
    config = transformers.SwinConfig(
        image_size=(4 * rows, 4 * columns),
        patch_size=4,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=4,
        num_labels=5,
        drop_path_rate=0.0,
    )
    reference = fill(transformers.SwinForImageClassification(config).eval(), 0)
    module = compile(spec := draft(SWIN.format(rows=rows, columns=columns, last=last)))
    module.load_state_dict(weights.load(spec, dict(reference.state_dict())), strict=True)
    pixels = torch.randn(2, 3, 4 * rows, 4 * columns, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module.eval()(pixels), reference(pixels).logits, **TOLERANCE)


@option("patch_merging.norm=true", "patch_merging.bias=false", "patch_merging.dim")
@pytest.mark.parametrize(("rows", "columns", "depth"), [(16, 16, 2), (32, 16, 4)])
def test_the_shipped_spec(rows: int, columns: int, depth: int) -> None:
    config = transformers.SwinConfig(
        image_size=(4 * rows, 4 * columns),
        embed_dim=8,
        depths=[2, 2, depth, 2],
        num_heads=[1, 2, 4, 8],
        window_size=2,
        num_labels=7,
        drop_path_rate=0.0,
    )
    reference = fill(transformers.SwinForImageClassification(config).eval(), 1)
    names = {"rows": rows, "columns": columns, "width": 8, "heads": 1, "window": 2, "classes": 7, "layers3": depth}
    module = compile(spec := load("swin-t", set={name: str(value) for name, value in names.items()}))
    module.load_state_dict(weights.load(spec, dict(reference.state_dict())), strict=True)
    pixels = torch.randn(2, 3, 4 * rows, 4 * columns, generator=torch.Generator().manual_seed(1))
    found, wanted = module.eval()(pixels), reference(pixels).logits
    assert wanted.std() > 0.01
    torch.testing.assert_close(found, wanted, **TOLERANCE)


GRID = """
archspec: 1
name: grid
dims:
  batch: [1, 2, 4]
  rows: {{min: 4, typical: 4, max: 8, multiple: 2}}
  columns: {{min: 6, typical: 6, max: 12, multiple: 3}}
inputs:
  image: float[batch, rows, columns, 4]
  valid: bool[batch, rows * columns]
graph:
  x: {{block: rearrange, input: image, pattern: "b h w c -> b (h w) c"}}
  y:
    block: attention
    query: x
    heads: 1
    bias: false
    mask: {mask}
    windows: {{grid: [rows, columns], size: [2, 3], shift: {shift}}}
  z: {{block: rearrange, input: y, pattern: "b (h w) c -> b h w c", sizes: {{h: rows}}}}
outputs:
  z: float[batch, rows, columns, 4]
rules:
  - within: {{output: z, input: image, axis: 1, mask: within(1)}}
  - within: {{output: z, input: image, axis: 2, mask: within(2)}}
  - within: {{output: z, input: image, axis: 2, mask: within(1)}}
  - sees: {{output: z, input: image}}
"""


def grid(shift: tuple[int, int], mask: str) -> str:
    """The text of the spec, with the input of valid positions if the mask reads it."""
    text = GRID.format(shift=list(shift), mask=mask)
    return text if "valid)" in mask else edited(text, ("  valid: bool[batch, rows * columns]\n", ""))


def by_hand(x: np.ndarray, valid: np.ndarray, p: dict[str, np.ndarray], shift: tuple[int, int]) -> np.ndarray:
    """Cut [b r c d] into windows as Swin does: roll, cut, attend where region and window agree, and roll back."""
    b, rows, columns, d = x.shape
    regions = np.zeros((rows, columns), int)
    regions[: shift[0]] += 1
    regions[:, : shift[1]] += 2

    def cut(a: np.ndarray) -> torch.Tensor:
        rolled = torch.tensor(np.roll(a, (-shift[0], -shift[1]), (1, 2)))
        return rolled.unflatten(2, (-1, 3)).unflatten(1, (-1, 2)).transpose(2, 3).flatten(3, 4).flatten(0, 2)

    windows, region = cut(x), cut(np.broadcast_to(regions, (b, rows, columns))[..., None]).squeeze(-1)
    seen = (region[:, :, None] == region[:, None]) & cut(valid.reshape(b, rows, columns, 1)).mT
    q, k, v = (windows @ torch.tensor(p[f"{name}.weight"]).T for name in "qkv")
    scores = (q @ k.mT / d**0.5).masked_fill(~seen, float("-inf"))
    attended = torch.nan_to_num(F.softmax(scores, -1)) @ v @ torch.tensor(p["out.weight"]).T
    back = attended.unflatten(0, (b, rows // 2, columns // 3)).unflatten(3, (2, 3)).transpose(2, 3)
    return np.roll(back.flatten(3, 4).flatten(1, 2).numpy(), shift, (1, 2))


@option("attention.windows", "windows.grid", "windows.size", "windows.shift")
@pytest.mark.parametrize("mask", ["all", "key_valid(valid)"])
@pytest.mark.parametrize("shift", [(0, 0), (1, 2), (0, 1)])
def test_windows_are_those_that_are_cut_by_hand(shift: tuple[int, int], mask: str) -> None:
    spec = draft(grid(shift, mask))
    rng = np.random.default_rng(0)
    for rows, columns in ((4, 6), (8, 9)):
        image, valid = rng.normal(size=(2, rows, columns, 4)), rng.random((2, rows * columns)) < 0.5
        p = {f"{name}.weight": rng.normal(size=(4, 4)) for name in ("q", "k", "v", "out")}
        own = {f"y.{name}": array for name, array in p.items()}
        inputs = {"image": image} if mask == "all" else {"image": image, "valid": valid}
        found = interpret(spec.graph, inputs, own)["z"]
        seen = valid if mask != "all" else np.ones_like(valid)
        np.testing.assert_allclose(found, by_hand(image, seen, p, shift), rtol=1e-9, atol=1e-12)
        module = compile(spec, unproved=True).double()
        module.load_state_dict({name: torch.tensor(array) for name, array in own.items()})
        with torch.no_grad():
            given = {name: torch.tensor(array) for name, array in inputs.items()}
            np.testing.assert_allclose(module(**given).numpy(), found, rtol=1e-9, atol=1e-12)


@option("attention.windows=none")
def test_windows_that_are_switched_off() -> None:
    text = edited(grid((0, 0), "all"), ("{grid: [rows, columns], size: [2, 3], shift: [0, 0]}", "none"))
    rng = np.random.default_rng(0)
    x, p = torch.tensor(rng.normal(size=(2, 4, 6, 4))), torch.tensor(rng.normal(size=(4, 4, 4)))
    own = {f"y.{name}.weight": one.numpy() for name, one in zip(("q", "k", "v", "out"), p, strict=True)}
    found = interpret(draft(text).graph, {"image": x.numpy()}, own)["z"]
    q, k, v = (x.flatten(1, 2) @ one.T for one in p[:3])
    wanted = (F.scaled_dot_product_attention(q, k, v) @ p[3].T).unflatten(1, (4, 6))
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-9, atol=1e-12)


MERGING = """
archspec: 1
name: merging
dims: {batch: [1, 2, 4]}
inputs:
  x: float[batch, 24, 5]
graph:
  y: {block: patch_merging, input: x, grid: [4, 6], patch: [2, 3], dim: 7, bias: true, norm: none}
  z:
    block: patch_merging
    input: x
    grid: [4, 6]
    patch: [2, 3]
    dim: 7
    norm: {kind: layer_norm, weight: false, bias: false}
outputs:
  y: float[batch, 4, 7]
  z: float[batch, 4, 7]
"""


@option("patch_merging.input", "patch_merging.norm=none", "patch_merging.norm", "patch_merging.bias=true")
@option("patch_merging.grid", "patch_merging.patch")
def test_patches_are_merged_column_by_column() -> None:
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(size=(2, 24, 5)), rng.normal(size=(7, 30)), rng.normal(size=7)
    parameters = {f"{node}.{name}": one for node in "yz" for name, one in (("weight", weight), ("bias", bias))}
    found = interpret(draft(MERGING).graph, {"x": x}, parameters)
    cells = x.reshape(2, 4, 6, 5)
    for row, column in np.ndindex(2, 2):
        patch = cells[:, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
        merged = np.concatenate([patch[:, p, q] for q in range(3) for p in range(2)], axis=-1)
        normed = F.layer_norm(torch.tensor(merged), (30,)).numpy()
        np.testing.assert_allclose(found["y"][:, 2 * row + column], merged @ weight.T + bias, rtol=1e-9)
        np.testing.assert_allclose(found["z"][:, 2 * row + column], normed @ weight.T + bias, rtol=1e-9)


@pytest.mark.parametrize("shift", [(0, 0), (1, 2)])
def test_rules_speak_of_windows(shift: tuple[int, int]) -> None:
    statuses = [verdict.status for verdict in check(draft(grid(shift, "all"))).verdicts]
    assert statuses[:4] == ["proved", "proved", "violated", "violated"]


@pytest.mark.parametrize(
    ("windows", "code"),
    [
        ("{grid: [3, 3], size: 1}", "E345"),
        ("{grid: [2, 3], size: 2}", "E345"),
        ("{grid: [2, 3], size: [2, 3], shift: [2, 0]}", "E244"),
        ("{grid: [2, 3], size: [1, 1, 1]}", "E204"),
        ("{grid: [2, 3], size: 1}, memory: memory", "E241"),
        ("{grid: [2, 3], size: 1}, positions: {kind: relative_grid, rows: 2, columns: 3, share: true}", "E345"),
        ("{grid: [2, 3], size: 1}, positions: {kind: relative_grid, rows: 1, share: true}", "E203"),
        ("{size: 2}", "E345"),
    ],
)
def test_windows_that_do_not_fit_are_refused(windows: str, code: str) -> None:
    patches = "{block: patch_embedding, input: pixels, patch: 16, dim: 8}"
    node = f"[{patches}, {{block: attention, heads: 1, mask: all, windows: {windows}}}]"
    assert {found for found, _, _ in complaints(node)} == {code}


def test_a_sequence_whose_grid_nothing_tells_needs_it() -> None:
    node = "{block: attention, query: x, heads: 1, mask: all, windows: {size: 2}}"
    assert complaints(node) == [("E345", "the `n` positions are not known to be rows and columns", "windows")]


@pytest.mark.parametrize(("least", "shift", "holds"), [(2, (1, 2), False), (2, (0, 0), True), (4, (1, 2), True)])
def test_a_shift_must_mean_the_same_at_every_size(least: int, shift: tuple[int, int], holds: bool) -> None:
    """A window of 2 fills 2 rows, where nothing is shifted, and no more of them."""
    text = edited(grid(shift, "all"), ("rows: {min: 4,", f"rows: {{min: {least},"))
    if holds:
        draft(text)
        return
    with pytest.raises(SpecError, match="`shift` does not apply where a window of 2 fills a side of rows positions"):
        draft(text)


def test_the_field_of_windows_is_a_bound() -> None:
    spec = draft(grid((1, 2), "all"))
    fields = ReceptiveFields(spec.graph)
    found = [fields.of(spec.values["z"], spec.values["image"], axis) for axis in (1, 2)]
    assert [None if one is None else str(one.extent) for one in found] == ["3", "5"]
    assert all(one is not None and one.why for one in found)
