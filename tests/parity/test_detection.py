"""DETR against transformers: images of two sizes, one not square, whole and padded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from archspec.algebra.dim import Dim
from archspec.checking import check, compile
from archspec.ops.position.grid_sinusoidal import GridSinusoidal
from archspec.rules.judge import Judge
from archspec.spec import load
from archspec.spec.files import locate
from tests.editing import edited
from tests.options import option
from tests.parity.models import TOLERANCE, filled
from tests.parity.test_vision import given_weights, image

transformers = pytest.importorskip("transformers")

DETR = "detr-resnet-50"
SIZES = {"classes": 7, "width": 4, "d_model": 32, "heads": 4, "d_ff": 48, "layers": 2, "queries": 5}


def detr(config: object | None = None) -> torch.nn.Module:
    """The reference model on a ResNet of transformers."""
    return transformers.DetrForObjectDetection(config or small()).eval()


def small() -> object:
    """A configuration of the sizes of `SIZES`."""
    backbone = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[16, 32, 64, 128], depths=[1, 2, 1, 1], out_features=["stage4"]
    )
    return transformers.DetrConfig(
        use_timm_backbone=False,
        backbone_config=backbone,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        num_queries=5,
        num_labels=7,
    )


def padded(size: tuple[int, int]) -> Tensor:
    """Which pixels of two images are valid: all of the first, and all but some rows and columns of the second."""
    valid = torch.ones(2, *size, dtype=torch.bool)
    valid[1, size[0] - 32 :] = False
    valid[1, :, size[1] - 40 :] = False
    return valid


@option("norm.kind=frozen_batch_norm", "positions.kind=grid_sinusoidal", "positions.grid@grid_sinusoidal")
@option("positions.count@grid_sinusoidal", "attention_positions.kind=added")
@pytest.mark.parametrize("is_padded", [False, True])
@pytest.mark.parametrize("size", [(64, 64), (96, 128)])
def test_detr(size: tuple[int, int], is_padded: bool) -> None:
    reference = filled(detr(), 0)
    counts = {"layers1": 1, "layers2": 2, "layers3": 1, "layers4": 1}
    constants = {name: str(value) for name, value in {**SIZES, **counts}.items()}
    module = given_weights(DETR, reference, constants)
    valid = padded(size) if is_padded else torch.ones(2, *size, dtype=torch.bool)
    wanted = reference(image(size), pixel_mask=valid.long())
    found = module(image(size), valid=valid) if is_padded else module(image(size))
    assert wanted.logits.std() > 0.01
    torch.testing.assert_close(found.logits, wanted.logits, **TOLERANCE)
    torch.testing.assert_close(found.boxes, wanted.pred_boxes, **TOLERANCE)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "proved"),
        ({"graph.memory.attention.mask": "all"}, "violated"),
        ({"graph.states.cross_attention.mask": "all"}, "violated"),
    ],
)
def test_both_masks_are_needed_to_hide_padding(change: dict[str, str], status: str) -> None:
    spec = load(DETR, reduced=True, set=change)
    judge = Judge(spec)
    hidden = [rule for rule in spec.rules if rule.kind == "ignores"]
    assert [judge.verdict(rule).status for rule in hidden] == [status, status]


@pytest.mark.parametrize("output", ["logits", "boxes"])
def test_a_rule_on_features_is_asked_for_where_none_on_pixels_holds(output: str, tmp_path: Path) -> None:
    """Convolutions mix pixels of padding into those beside them, and the masks hide whole places of the map."""
    rule = f"- ignores: {{output: {output}, input: features, where: not known}}"
    path = tmp_path / "detr.yaml"
    path.write_text(edited(locate(DETR).read_text("utf-8"), (f"  {rule}\n", "")))
    assert check(DETR).diagnostics == ()
    (found,) = check(path).diagnostics
    assert (found.code, found.help) == ("W421", f"add `{rule}` to `rules`")


def test_features_of_padding_do_not_matter() -> None:
    """Changed in the module itself, behind the map's last convolution, where the rules of the spec speak of them."""
    spec = load(DETR, reduced=True)
    module = filled(compile(spec), 0).double().eval()
    x, valid = image((64, 96)).double(), padded((64, 96))
    places = valid[:, ::32, ::32][:, None]
    before = module(x, valid=valid)
    for chosen, still in ((~places, True), (places, False)):
        noise = 8 * torch.randn(2, 16, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        changed = torch.where(chosen, noise, 0)
        hook = module.features["0"].register_forward_hook(lambda _, __, y, changed=changed: y + changed)
        after = module(x, valid=valid)
        hook.remove()
        for old, new in zip(before, after, strict=True):
            assert torch.equal(old, new) is still


def test_positions_of_the_reference() -> None:
    """Of padded images, of one whole image, and of one of which nothing is valid."""
    from transformers.models.detr.modeling_detr import DetrSinePositionEmbedding

    valid = torch.rand((4, 5, 7), generator=torch.Generator().manual_seed(0)) < 0.6
    valid[1], valid[2] = True, False
    valid[3] = (torch.arange(5) < 3)[:, None] & (torch.arange(7) < 4)
    made = DetrSinePositionEmbedding(8, normalize=True)
    wanted = made(torch.Size((4, 16, 5, 7)), torch.device("cpu"), torch.float64, valid).flatten(2).mT
    op = GridSinusoidal(rows=Dim.of(5), columns=Dim.of(7))
    operands = (np.zeros((4, 35, 16)), valid.flatten(1).numpy())
    np.testing.assert_allclose(op.reference(operands, {}, {})[0], wanted.numpy(), rtol=1e-9, atol=1e-9)


def test_the_number_of_parameters_is_that_of_the_reference() -> None:
    backbone = transformers.ResNetConfig(out_features=["stage4"])
    config = transformers.DetrConfig(use_timm_backbone=False, backbone_config=backbone, num_labels=91)
    with torch.device("meta"):
        reference = detr(config)
    counts = load(DETR).counts
    assert counts is not None
    assert counts.parameters == sum(one.numel() for one in reference.parameters())
    # The published code trains all but the first convolutions, where transformers holds still the whole backbone.
    still = ("model.backbone.model.embedder", "model.backbone.model.encoder.stages.0")
    trained = [one.numel() for name, one in reference.named_parameters() if not name.startswith(still)]
    # 41,302,368 is what the published code prints.
    assert counts.trainable == sum(trained) == 41_302_368
