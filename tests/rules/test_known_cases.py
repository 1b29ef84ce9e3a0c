"""Symmetries that are known of ConvNets and vision transformers: what is proved, and how far modules deviate.

Sources: Zhang 2019 (blur before strides), Azulay and Weiss 2019 (shifts below the stride), Chaman and Dokmanic 2021
(circular padding), Dosovitskiy et al. 2021 (patches).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import archspec
from archspec.checking import Report, check
from archspec.spec import load

CONVNET = """archspec: 1
name: convnet
dims: {batch: [1, 2, 4], rows: {min: 16, typical: 32, max: 64, multiple: 4}}
inputs: {pixels: "float[batch, 3, rows, 32]"}
graph:
  map:
    - {block: conv, input: pixels, channels: 8, kernel: 3, stride: 2, padding: PADDING, activation: relu}
    - {block: conv, channels: 8, kernel: 5, stride: 2, padding: WIDE, activation: relu}
  mean: {block: pool, input: map, kind: mean}
outputs:
  map: float[batch, 8, rows//4, 8]
  mean: float[batch, 8]
rules:
"""
POOLED = """archspec: 1
name: pooled
dims: {batch: [1, 2, 4]}
inputs: {pixels: "float[batch, 3, 32, 32]"}
graph:
  map: {block: conv, input: pixels, channels: 8, kernel: 3, padding: circular, activation: relu}
  coarse: COARSE
  largest: {block: pool, input: coarse, kind: max}
outputs: {largest: "float[batch, 8]"}
"""
PATCHES = """archspec: 1
name: patches
dims: {batch: [1, 2, 4]}
inputs: {pixels: "float[batch, 3, 16, 24]"}
defaults: {norm: layer_norm}
graph:
  tokens: {block: patch_embedding, input: pixels, patch: 4, dim: 16POSITIONS}
  states:
    block: encoder
    input: tokens
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 2, mask: all}
    feed_forward: {hidden: 32, activation: gelu}
  grid: {block: rearrange, input: states, pattern: "b (h w) c -> b h w c", sizes: {h: 4}}
outputs: {grid: "float[batch, 4, 6, 16]"}
rules:
"""
EXACT = 1e-12


def written(folder: Path, text: str, *rules: str) -> Report:
    path = folder / "known.yaml"
    path.write_text(text + "".join(f"  - {rule}\n" for rule in rules), encoding="utf-8")
    return check(path)


def convnet(folder: Path, padding: str, *rules: str) -> Report:
    text = CONVNET.replace("PADDING", padding).replace("WIDE", "2" if padding == "1" else padding)
    return written(folder, text, *rules)


def module(folder: Path) -> nn.Module:
    """The module in float64 with random parameters."""
    made = archspec.compile(load(folder / "known.yaml"), unproved=True).double().eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=0.3)
    return made


def image(rows: int, columns: int) -> Tensor:
    return torch.randn(2, 3, rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def deviation(found: Tensor, wanted: Tensor) -> float:
    """The largest distance, relative to the largest value."""
    return float((found - wanted).abs().max() / wanted.abs().max())


@torch.no_grad()
def test_circular_padding_makes_a_strided_convnet_exactly_equivariant_at_its_stride(tmp_path: Path) -> None:
    rules = [
        f"equivariant: {{output: map, input: pixels, axis: [2, 2], stride: {by}, border: circular}}" for by in (4, 2)
    ]
    found = convnet(tmp_path, "circular", *rules, "invariant: {output: mean, input: pixels, axis: rows, stride: 4}")
    assert [one.status for one in found.verdicts[:3]] == ["proved", "violated", "proved"]
    run, x = module(tmp_path), image(32, 32)
    before, mean = run(x)
    for times in (1, 3, -2):
        after, moved_mean = run(x.roll(4 * times, 2))
        assert deviation(after, before.roll(times, 2)) < EXACT
        assert deviation(moved_mean, mean) < EXACT
    # Below the stride nothing holds.
    assert all(deviation(run(x.roll(by, 2))[1], mean) > 0.01 for by in (1, 2, 3))


@torch.no_grad()
def test_zero_padding_and_a_stride_leave_a_mean_that_shifts_change(
    tmp_path: Path,
) -> None:
    """The verdict prints by how much, as runs of the module show."""
    found = convnet(tmp_path, "1", "invariant: {output: mean, input: pixels, axis: rows}")
    assert found.verdicts[0].status == "violated"
    (diagnostic,) = found.verdicts[0].diagnostics
    (note,) = (note for note in diagnostic.notes if note.startswith("measured"))
    printed = float(note.split("off by up to ")[1].split(" of")[0])
    run, x = module(tmp_path), image(32, 32)
    measured = [deviation(run(x.roll(by, 2))[1], run(x)[1]) for by in (1, 2, 3)]
    print(f"deviation printed: {printed}; of the module: {measured}")
    assert printed > 0.01
    assert min(measured) > 0.01


@torch.no_grad()
def test_patches_without_positions_move_and_absolute_positions_break_it(tmp_path: Path) -> None:
    rule = "equivariant: {output: grid, input: pixels, axis: [1, 2], stride: 4, border: circular}"
    assert written(tmp_path, PATCHES.replace("POSITIONS", ""), rule).verdicts[0].status == "proved"
    run, x = module(tmp_path), image(16, 24)
    assert deviation(run(x.roll(4, 2)), run(x).roll(1, 1)) < EXACT
    assert deviation(run(x.roll(2, 2)), run(x)) > 0.01
    (verdict, *_) = written(tmp_path, PATCHES.replace("POSITIONS", ", positions: learned"), rule).verdicts
    assert verdict.status == "violated"
    assert verdict.explanation.startswith("`tokens` takes values of absolute positions")
    run = module(tmp_path)
    assert deviation(run(x.roll(4, 2)), run(x).roll(1, 1)) > 0.01


BLUR = "{block: conv, input: map, channels: 8, groups: 8, kernel: [5, 1], stride: [2, 1], padding: circular}"
STRIDED = "{block: conv, input: map, channels: 8, groups: 8, kernel: 1, stride: [2, 1]}"


@torch.no_grad()
def pooled(folder: Path, coarse: str, weights: list[float]) -> float:
    """How far a shift by one moves the maximum over a map that is read at every second row."""
    (folder / "known.yaml").write_text(POOLED.replace("COARSE", coarse), encoding="utf-8")
    run = module(folder)
    for name, parameter in run.named_parameters():
        if name.startswith("coarse"):
            kernel = torch.tensor(weights, dtype=torch.float64) / sum(weights)
            parameter.copy_(kernel[:, None].expand(parameter.shape) if parameter.dim() == 4 else 0 * parameter)
    x = image(32, 32)
    return deviation(run(x.roll(1, 2)), run(x))


def test_blur_before_a_stride_lowers_the_deviation(tmp_path: Path) -> None:
    """A map that is read at every second row, and one that the binomial kernel blurs before."""
    sharp, blurred = pooled(tmp_path, STRIDED, [1.0]), pooled(tmp_path, BLUR, [1.0, 4.0, 6.0, 4.0, 1.0])
    print(f"deviation without blur {sharp:.3f}, with blur {blurred:.3f}")
    assert 0 < blurred < 0.7 * sharp
