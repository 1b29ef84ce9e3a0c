"""Specs of images against reference models, at two sizes of an image, one of which is not square."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archspec import weights
from archspec.checking import compile
from archspec.spec import load
from tests.parity.models import TOLERANCE, filled

transformers = pytest.importorskip("transformers")

SIZES = [(32, 32), (32, 64)]


def image(size: tuple[int, int]) -> Tensor:
    """Two random images of a size."""
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))


def sized(size: tuple[int, int], **constants: int) -> dict[str, str]:
    """Constants of a spec, for images of a size whatever constants it has for it."""
    given = {key: str(value) for key, value in constants.items()}
    return {**given, "inputs.pixels": f"float[batch, 3, {size[0]}, {size[1]}]"}


def given_weights(
    name: str, reference: nn.Module, constants: dict[str, str], saved: Path | None = None, layout: str | None = None
) -> nn.Module:
    """The module of a spec with the weights of a reference model, as they are in memory or in the folder `saved`."""
    spec = load(name, set=constants)
    module = compile(spec)
    source = dict(reference.state_dict()) if saved is None else saved
    module.load_state_dict(weights.load(spec, source, layout), strict=True)
    return module.eval()


def close(found: Tensor, wanted: Tensor) -> None:
    assert wanted.std() > 0.01
    torch.testing.assert_close(found, wanted, **TOLERANCE)


class Mlp(nn.Module):
    """Two linear maps with a GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class MixerLayer(nn.Module):
    """The listing of Tolstikhin et al. 2021, appendix E, with the names of timm."""

    def __init__(self, patches: int, width: int, tokens: int, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.mlp_tokens, self.mlp_channels = Mlp(patches, tokens), Mlp(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mlp_tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mlp_channels(self.norm2(x))


class Mixer(nn.Module):
    """Patches, layers, a norm, the mean of the patches and a classifier."""

    def __init__(self, patches: int, patch: int, width: int, tokens: int, channels: int, layers: int) -> None:
        super().__init__()
        self.stem = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.blocks = nn.Sequential(*(MixerLayer(patches, width, tokens, channels) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 1000)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.stem["proj"](pixels).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(tokens)).mean(1))


def test_the_mixer_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        reference = Mixer(196, 16, 768, 384, 3072, 12)
    spec = load("mlp-mixer-b16")
    assert spec.counts is not None
    assert spec.counts.parameters == sum(one.numel() for one in reference.parameters())


@pytest.mark.parametrize("size", SIZES)
def test_mixer(size: tuple[int, int]) -> None:
    patches = size[0] * size[1] // 64
    reference = filled(Mixer(patches, 8, 320, 24, 640, 2), 0).eval()
    sizes = sized(size, patch=8, d_model=320, d_tokens=24, d_channels=640, layers=2)
    close(given_weights("mlp-mixer-b16", reference, sizes)(image(size)), reference(image(size)))


@pytest.mark.parametrize("size", [(64, 64), (43, 70)])
def test_mobilenet_pads_as_tensorflow_does(size: tuple[int, int]) -> None:
    config = transformers.MobileNetV2Config(depth_multiplier=0.25, depth_divisible_by=2, min_depth=2, num_labels=7)
    reference = filled(transformers.MobileNetV2ForImageClassification(config), 0).eval()
    found = given_weights("mobilenet-v2", reference, sized(size, width=2, classes=7))(image(size))
    close(found, reference(image(size)).logits)


@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
def test_segformer_and_its_encoder(size: tuple[int, int], tmp_path: Path) -> None:
    config = transformers.SegformerConfig(hidden_sizes=[8, 16, 40, 64], decoder_hidden_size=24, num_labels=7)
    reference = filled(transformers.SegformerForSemanticSegmentation(config), 0)
    reference.save_pretrained(tmp_path)
    sizes = {"height": str(size[0]), "width": str(size[1]), "channels": "8"}
    maps = reference.segformer(image(size), output_hidden_states=True).hidden_states
    encoder = given_weights("mit-b0", reference.segformer, sizes)(image(size))
    close(encoder.stage1, maps[0])
    close(encoder.stage4, maps[3])
    wanted = reference(image(size)).logits
    # What is saved has the older names; the modules in memory have those of version 5.
    for saved, layout in ((None, "huggingface"), (tmp_path, "huggingface-4")):
        constants = {**sizes, "fused": "24", "classes": "7"}
        found = given_weights("segformer-b0", reference, constants, saved, layout)(image(size))
        close(found.logits, wanted)
        close(found.scores, nn.functional.interpolate(wanted, size=size, mode="bilinear", align_corners=False))
