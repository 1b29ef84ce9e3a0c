"""The Audio Spectrogram Transformer against that of transformers, with patches that overlap."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archspec.spec import load
from tests.parity.models import fill, size
from tests.parity.test_parity import BATCH, SEEDS, close, compiled

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize(("frames", "bins"), [(24, 24), (37, 18)])
@pytest.mark.parametrize("seed", SEEDS)
def test_ast(seed: int, frames: int, bins: int, tmp_path: Path) -> None:
    """Of 37 frames and 18 bins the last frame and the last 2 bins fill no patch of 8 at a stride of 4."""
    small, classes = size(seed), 5 + seed
    config = transformers.ASTConfig(
        max_length=frames,
        num_mel_bins=bins,
        patch_size=8,
        frequency_stride=4,
        time_stride=4,
        hidden_size=small.width,
        num_hidden_layers=small.layers,
        num_attention_heads=small.heads,
        intermediate_size=small.hidden,
        num_labels=classes,
    )
    reference = fill(transformers.ASTForAudioClassification(config), seed)
    reference.save_pretrained(tmp_path)
    sizes = {"frames": frames, "bins": bins, "patch": 8, "stride": 4, "classes": classes}
    spec = load("ast-base", set={**small.constants(), **{name: str(number) for name, number in sizes.items()}})
    sound = torch.randn(BATCH, frames, bins, generator=torch.Generator().manual_seed(seed))
    # What is saved has the older names; the modules in memory have those of version 5.
    for layout, source in (("huggingface-4", tmp_path), ("huggingface", dict(reference.state_dict()))):
        close(compiled(spec, source, layout)(sound), reference(sound).logits)
