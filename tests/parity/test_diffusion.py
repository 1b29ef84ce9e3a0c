"""The diffusion transformer against one written from the definition of Peebles and Xie 2022, with published names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archspec import check, weights
from archspec.checking import compile
from archspec.oracle.interpreter import interpret
from archspec.spec import load
from tests.options import option
from tests.parity.models import TOLERANCE, filled
from tests.parity.options import draft


def waves(numbers: Tensor, count: int) -> Tensor:
    """Cosines, then sines, of numbers [n] at `count` frequencies, the k-th of them 10000^(-k / count)."""
    angles = torch.stack([numbers * 10000 ** (-k / count) for k in range(count)], 1)
    return torch.cat((angles.cos(), angles.sin()), 1)


def grid(rows: int, columns: int, width: int) -> Tensor:
    """Fixed positions [1, rows * columns, width]: of the column in the first half, of the row in the second."""
    row, column = torch.arange(rows).repeat_interleave(columns), torch.arange(columns).repeat(rows)
    halves = [waves(one.double(), width // 4).roll(width // 4, 1) for one in (column, row)]
    return torch.cat(halves, 1)[None].float()


class Attention(nn.Module):
    """Attention with one map for queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weighted = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
        return self.proj(weighted.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(x), approximate="tanh"))


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """A norm without parameters, then a scale and a shift of each row."""
    centred = x - x.mean(-1, keepdim=True)
    normed = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
    return normed * (1 + scale[:, None]) + shift[:, None]


class Layer(nn.Module):
    """Figure 3 of the paper, adaLN-Zero."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn, self.mlp = Attention(width, heads), Mlp(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale, gate, shift2, scale2, gate2 = self.adaLN_modulation(condition).chunk(6, 1)
        x = x + gate[:, None] * self.attn(modulate(x, shift, scale))
        return x + gate2[:, None] * self.mlp(modulate(x, shift2, scale2))


class Model(nn.Module):
    """Patches with fixed positions, layers, and the noise and its variance for each pixel."""

    def __init__(self, size: tuple[int, int], width: int, heads: int, layers: int, waves: int, classes: int) -> None:
        super().__init__()
        self.grid, self.waves = (size[0] // 2, size[1] // 2), waves
        self.x_embedder = nn.ModuleDict({"proj": nn.Conv2d(4, width, 2, 2)})
        self.t_embedder = nn.ModuleDict(
            {"mlp": nn.Sequential(nn.Linear(waves, width), nn.SiLU(), nn.Linear(width, width))}
        )
        self.y_embedder = nn.ModuleDict({"embedding_table": nn.Embedding(classes + 1, width)})
        self.pos_embed = nn.Parameter(torch.empty(1, self.grid[0] * self.grid[1], width), requires_grad=False)
        self.blocks = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.final_layer = nn.ModuleDict(
            {
                "linear": nn.Linear(width, 32),
                "adaLN_modulation": nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width)),
            }
        )

    def forward(self, latents: Tensor, time: Tensor, label: Tensor) -> Tensor:
        x = self.x_embedder["proj"](latents).flatten(2).transpose(1, 2) + self.pos_embed
        condition = self.t_embedder["mlp"](waves(time, self.waves // 2)) + self.y_embedder["embedding_table"](label)
        for block in self.blocks:
            x = block(x, condition)
        x = modulate(x, *self.final_layer["adaLN_modulation"](condition).chunk(2, 1))
        patches = self.final_layer["linear"](x).unflatten(2, (2, 2, 8)).unflatten(1, self.grid)
        return patches.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def test_the_published_number_of_parameters() -> None:
    """675,129,632 are the parameters of the paper's model, the table of fixed positions among them."""
    with torch.device("meta"):
        reference = Model((32, 32), 1152, 16, 28, 256, 1000)
    assert sum(one.numel() for one in reference.parameters()) == 675_129_632
    spec = load("dit-xl-2")
    assert spec.counts is not None
    assert spec.counts.parameters == 675_129_632 - 16 * 16 * 1152


@pytest.mark.parametrize("size", [(8, 8), (8, 12)])
def test_parity(size: tuple[int, int]) -> None:
    reference = filled(Model(size, 64, 4, 2, 16, 10), 0)
    reference.pos_embed.data = grid(size[0] // 2, size[1] // 2, 64)
    constants = {"height": size[0], "width": size[1], "d_model": 64, "heads": 4, "layers": 2, "waves": 16}
    spec = load("dit-xl-2", set={"classes": "10", **{name: str(value) for name, value in constants.items()}})
    module = compile(spec)
    module.load_state_dict(weights.load(spec, dict(reference.state_dict())), strict=True)
    draw = torch.Generator().manual_seed(0)
    latents, time, label = torch.randn(3, 4, *size, generator=draw), torch.tensor([0.0, 17.5, 999.0]), [0, 10, 3]
    found = module.eval()(latents, time, torch.tensor(label))
    wanted = reference(latents, time, torch.tensor(label))
    assert wanted.std() > 0.01
    torch.testing.assert_close(found, wanted, **TOLERANCE)


def test_a_fresh_layer_changes_nothing() -> None:
    """The zeros of adaLN-Zero: gates start at zero, and so does the noise. The reduced copy starts at others."""
    sizes = {"height": "8", "width": "8", "d_model": "32", "heads": "4", "layers": "1", "waves": "16"}
    module = compile(load("dit-xl-2", set=sizes)).eval()
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(2, 4, 8, 8, generator=draw)
    time, label = torch.tensor([1.0, 2.0]), torch.tensor([0, 1])
    assert module(latents, time, label).abs().max() == 0
    tokens = module.tokens(latents)
    assert torch.equal(module.states[0](tokens, torch.randn(2, 32, generator=draw)), tokens)
    assert compile(load("dit-xl-2", reduced=True)).eval()(latents, time, label).abs().max() > 0


MOVED = """
archspec: 1
extends: dit-xl-2
name: moved
counts: none
graph:
  tokens: {{positions: {positions}}}
  grid: {{block: rearrange, input: states, pattern: b (h w) c -> b h w c, sizes: {{h: height // patch}}}}
rules:
  - equivariant: {{output: grid, input: latents, axis: [1, 2], stride: 2, border: circular}}
"""


@pytest.mark.parametrize(("positions", "status"), [("none", "proved"), ("grid_sincos", "violated")])
def test_fixed_positions_alone_tell_places_apart(positions: str, status: str, tmp_path: Path) -> None:
    """Scales, shifts and gates are those of a row of the batch, the same at each of its positions."""
    path = tmp_path / "moved.yaml"
    path.write_text(MOVED.format(positions=positions))
    (verdict, *_) = check(load(path, reduced=True)).verdicts
    assert verdict.status == status
    broken = [one.primary.text for one in verdict.diagnostics if one.primary is not None]
    assert broken == ["`tokens` takes values of absolute positions, which do not move (operand 1)"] * (
        status == "violated"
    )


EMBEDDED = """
archspec: 1
name: embedded
dims: {{batch: [1, 2, 4], n: [1, 3, 6]}}
inputs:
  x: float[batch, n]
graph:
  y:
    {{block: sinusoidal_embedding, input: x, dim: 6, base: 100, layout: {layout}, first: {first}, endpoint: {endpoint}}}
outputs:
  y: float[batch, n, 6]
rules:
  - window: {{output: y, input: x, back: 0, ahead: 0}}
  - equivariant: {{output: y, input: x, axis: 1, stride: 1, border: circular}}
"""


@option("sinusoidal_embedding.input", "sinusoidal_embedding.dim", "sinusoidal_embedding.base")
@option("sinusoidal_embedding.layout={layout}", "sinusoidal_embedding.first={first}")
@option("sinusoidal_embedding.endpoint={endpoint}")
@pytest.mark.parametrize("layout", ["interleaved", "halves"])
@pytest.mark.parametrize("first", ["sine", "cosine"])
@pytest.mark.parametrize("endpoint", [True, False])
def test_numbers_become_waves(layout: str, first: str, endpoint: bool) -> None:
    spec = draft(EMBEDDED.format(layout=layout, first=first, endpoint=str(endpoint).lower()))
    x = np.random.default_rng(0).normal(size=(2, 3)) * 10
    found = interpret(spec.graph, {"x": x}, {})["y"]
    module = compile(spec).double()
    torch.testing.assert_close(module(torch.tensor(x)), torch.tensor(found), rtol=1e-12, atol=1e-12)
    for row, column, k in np.ndindex(2, 3, 3):
        angle = x[row, column] * (1, 0.1, 0.01)[k] if endpoint else x[row, column] * 100 ** (-k / 3)
        pair = (np.sin(angle), np.cos(angle)) if first == "sine" else (np.cos(angle), np.sin(angle))
        places = (k, k + 3) if layout == "halves" else (2 * k, 2 * k + 1)
        np.testing.assert_allclose(found[row, column, list(places)], pair, rtol=1e-9, atol=1e-12)
