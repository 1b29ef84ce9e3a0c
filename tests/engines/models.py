"""Small modules written by hand, as the compiler would emit them, with their interfaces."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from archspec.engines.module import module_class
from archspec.engines.program import Program
from archspec.model.ports import Interface
from archspec.model.written import DimRange, InputPort, WrittenInterface

ENCODER = """
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.norm = nn.LayerNorm(16)

    def forward(self, ids: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        x = self.table(ids)
        mask = valid[:, None, None, :]
        keep = mask.any(-1, keepdim=True)
        for layer in self.layers:
            x = layer(x, mask | ~keep, keep)
        x = self.norm(x)
        weight = valid[:, :, None].to(x.dtype)
        return x, (x * weight).sum(1) / weight.sum(1).clamp(min=1)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(16, 16)
        self.k = nn.Linear(16, 16)
        self.v = nn.Linear(16, 16)
        self.out = nn.Linear(16, 16)

    def forward(self, x: Tensor, mask: Tensor, keep: Tensor) -> Tensor:
        q, k, v = (p(x).unflatten(-1, (4, 4)).transpose(1, 2) for p in (self.q, self.k, self.v))
        h = torch.where(keep, F.scaled_dot_product_attention(q, k, v, mask), 0)
        return x + self.out(h.transpose(1, 2).flatten(2))
"""

ENCODER_INTERFACE = WrittenInterface(
    dims={
        "batch": DimRange(min=1, typical=2, max=16),
        "tokens": DimRange(min=1, typical=12, max=40),
    },
    inputs={
        "ids": InputPort(type="int64[batch, tokens] < 50"),
        "valid": InputPort(type="bool[batch, tokens]", default=True, padding="any"),
    },
    outputs={"states": "float[batch, tokens, 16]", "pooled": "float[batch, 16]"},
).read()

IMAGES = """
from __future__ import annotations

from torch import Tensor, nn


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Conv2d(3, 8, 4, 4)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.project(pixels).flatten(2).transpose(1, 2)
"""

IMAGES_INTERFACE = WrittenInterface(
    dims={
        "batch": DimRange(min=1, typical=1, max=8),
        "height": DimRange(min=4, typical=8, max=64, multiple=4),
        "width": DimRange(min=4, typical=16, max=64, multiple=4),
    },
    inputs={"pixels": InputPort(type="float[batch, 3, height, width]")},
    outputs={"patches": "float[batch, (height//4)*(width//4), 8]"},
).read()


def write_program(folder: Path, source: str, module: str, interface: Interface, seed: int = 0) -> Program:
    """A folder with the files of a program, every parameter filled from a seeded normal distribution."""
    folder.mkdir(parents=True, exist_ok=True)
    path, weights = folder / "model.py", folder / "model.safetensors"
    path.write_text(source)
    generator = torch.Generator().manual_seed(seed)
    state = module_class(path, module)().state_dict()
    save_file({name: torch.randn(t.shape, generator=generator) * 0.3 for name, t in state.items()}, weights)
    return Program(source=Path(path.name), module=module, weights=Path(weights.name), interface=interface)


def encoder(folder: Path) -> Program:
    return write_program(folder, ENCODER, "Encoder", ENCODER_INTERFACE)


def images(folder: Path) -> Program:
    return write_program(folder, IMAGES, "Images", IMAGES_INTERFACE)


NAMES = """
import torch.nn.functional as F
from torch import Tensor, nn


class Names(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.linear = nn.Linear(4, 4)

    def forward(self, linear: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.linear(self.embedding(linear)))
        return x.sum(1), x
"""

NAMES_INTERFACE = WrittenInterface(
    dims={"batch": DimRange(min=1, typical=2, max=8)},
    inputs={"linear": InputPort(type="int64[batch, 3] < 9")},
    outputs={"embedding": "float[batch, 4]", "sum_1": "float[batch, 3, 4]"},
).read()


def names(folder: Path) -> Program:
    return write_program(folder, NAMES, "Names", NAMES_INTERFACE)
