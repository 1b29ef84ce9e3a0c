"""Convolutional specs with the weights and statistics of transformers' models."""

from __future__ import annotations

import pytest
import torch

from archspec import weights
from archspec.checking import compile
from archspec.spec import load
from tests.parity.models import TOLERANCE, filled

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize(("seed", "depths", "side"), [(0, (2, 2, 2), 64), (1, (1, 3, 2), 65), (2, (3, 1, 1), 47)])
def test_resnet(seed: int, depths: tuple[int, int, int], side: int) -> None:
    config = transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[32, 64, 128, 256],
        depths=[depths[0], depths[1], depths[2], depths[0]],
        num_labels=7,
    )
    reference = filled(transformers.ResNetForImageClassification(config), seed)
    names = dict(zip(("layers", "layers2", "layers3"), map(str, depths), strict=True))
    spec = load("resnet-50", set={**names, "width": "8", "classes": "7", "image": str(side)})
    module = compile(spec)
    module.load_state_dict(weights.load(spec, dict(reference.state_dict())), strict=True)
    assert int(module.state_dict()["stage1.layers.0.norm1.num_batches_tracked"]) == seed + 5
    pixels = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(module.eval()(pixels), reference(pixels).logits, **TOLERANCE)


@pytest.mark.parametrize(("seed", "depths", "side"), [(0, (2, 3), 64), (1, (1, 2), 37), (2, (3, 1), 96)])
def test_convnext(seed: int, depths: tuple[int, int], side: int) -> None:
    config = transformers.ConvNextConfig(
        hidden_sizes=[16, 32, 64, 128], depths=[depths[0], depths[0], depths[1], depths[0]], num_labels=7
    )
    reference = filled(transformers.ConvNextForImageClassification(config), seed)
    names = {"layers": str(depths[0]), "layers3": str(depths[1]), "width": "16", "classes": "7", "image": str(side)}
    spec = load("convnext-tiny", set=names)
    # At some sizes the strides leave pixels out, which the spec's `sees` forbids.
    module = compile(spec, unproved=side % 32 != 0)
    module.load_state_dict(weights.load(spec, dict(reference.state_dict())), strict=True)
    pixels = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(seed))
    found, wanted = module.eval()(pixels), reference(pixels).logits
    assert wanted.std() > 0.01
    torch.testing.assert_close(found, wanted, **TOLERANCE)
