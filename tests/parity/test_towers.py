"""CLIP's two towers, DINOv2 on images of several sizes, and a gated attention unit by its formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.checking import compile
from archspec.spec import load
from tests.options import option
from tests.parity.models import fill, ids, right_padded, size
from tests.parity.test_parity import BATCH, SEEDS, close, compiled

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("seed", SEEDS)
def test_clip(seed: int, tmp_path: Path) -> None:
    small, width, shared = size(seed), 8 * (5 + seed), 11 + seed
    inner = {"num_hidden_layers": small.layers, "projection_dim": shared}
    text = {
        **inner,
        "vocab_size": small.vocab,
        "hidden_size": small.width,
        "num_attention_heads": small.heads,
        "intermediate_size": 4 * small.width,
        "max_position_embeddings": small.context,
        "bos_token_id": 0,
        "eos_token_id": small.vocab - 1,
    }
    vision = {**inner, "hidden_size": width, "num_attention_heads": 4, "image_size": 24, "patch_size": 8}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**vision, "intermediate_size": 4 * width}, projection_dim=shared
    )
    reference = fill(transformers.CLIPModel(config), seed)
    reference.save_pretrained(tmp_path)
    constants = {"vocab": small.vocab, "context": small.context, "d_text": small.width, "text_heads": small.heads}
    images = {"image": 24, "patch": 8, "d_image": width, "image_heads": 4, "layers": small.layers, "shared": shared}
    typical = {"dims.length": f"[1, {small.lengths[0]}, context]"}
    sizes = {name: str(number) for name, number in {**constants, **images, **typical}.items()}
    module = compiled(load("clip-vit-b32", set=sizes), tmp_path)
    pixels = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(seed))
    for length in small.lengths:
        # What follows the end of a text is filled with ends.
        tokens = ids(small, BATCH, length, seed).clamp(max=small.vocab - 2)
        tokens[~right_padded(BATCH, length) | (torch.arange(length) == length - 1)] = small.vocab - 1
        expected = reference(input_ids=tokens, pixel_values=pixels)
        found = module(pixels, tokens)
        close(found.logits, expected.logits_per_image)
        close(found.image_embeds, expected.image_embeds)
        close(found.text_embeds, expected.text_embeds)


@pytest.mark.parametrize("seed", SEEDS)
def test_dinov2(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    config = transformers.Dinov2Config(
        image_size=20,
        patch_size=4,
        hidden_size=small.width,
        num_hidden_layers=small.layers,
        num_attention_heads=small.heads,
    )
    reference = fill(transformers.Dinov2Model(config), seed)
    reference.save_pretrained(tmp_path)
    sizes = {"image": "20", "typical": "12", "patch": "4", "d_ff": "4*d_model"}
    spec = load("dinov2-small", set={**small.constants(), **sizes})
    # What is saved has the older names; the modules in memory have those of version 5.
    for layout, source in (("huggingface-4", tmp_path), ("huggingface", dict(reference.state_dict()))):
        module = compiled(spec, source, layout)
    generator = torch.Generator().manual_seed(seed)
    for height, width in ((20, 20), (12, 20), (4, 8)):
        pixels = torch.randn(BATCH, 3, height, width, generator=generator)
        masked = torch.rand(BATCH, height // 4, width // 4, generator=generator) < 0.4
        expected = reference(pixels, bool_masked_pos=masked.flatten(1))
        close(module(pixels, masked).states, expected.last_hidden_state)
        close(module(pixels, masked).pooled, expected.pooler_output)
        close(module(pixels).states, reference(pixels).last_hidden_state)


@option("attention_positions.kind=rotary_grid", "attention_positions.coordinates=centred", "patch_embedding.registers")
@pytest.mark.parametrize("seed", SEEDS)
def test_dinov3(seed: int, tmp_path: Path) -> None:
    small, registers = size(seed), 1 + seed
    # Half of the features turn by the row, in pairs, and half by the column.
    width = 4 * small.heads * (1 + seed) if seed else small.width
    config = transformers.DINOv3ViTConfig(
        image_size=20,
        patch_size=4,
        hidden_size=width,
        intermediate_size=small.hidden,
        num_hidden_layers=small.layers,
        num_attention_heads=small.heads,
        num_register_tokens=registers,
    )
    reference = fill(transformers.DINOv3ViTModel(config), seed).eval()
    reference.save_pretrained(tmp_path)
    sizes = {**small.constants(), "d_model": width, "registers": registers, "image": 20, "typical": 12, "patch": 4}
    spec = load("dinov3-small", set={name: str(number) for name, number in sizes.items()})
    # What is saved has the older names; the modules in memory have those of version 5.
    for layout, source in (("huggingface-4", tmp_path), ("huggingface", dict(reference.state_dict()))):
        module = compiled(spec, source, layout)
    generator = torch.Generator().manual_seed(seed)
    for height, wide in ((20, 20), (12, 20), (4, 8)):
        pixels = torch.randn(BATCH, 3, height, wide, generator=generator)
        masked = torch.rand(BATCH, height // 4, wide // 4, generator=generator) < 0.4
        expected = reference(pixels, bool_masked_pos=masked.flatten(1))
        close(module(pixels, masked).states, expected.last_hidden_state)
        close(module(pixels, masked).pooled, expected.pooler_output)
        close(module(pixels).states, reference(pixels).last_hidden_state)


def gated_attention(x: Tensor, valid: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Figure 3 of the paper: one head, squared ReLU in place of softmax, gated by a branch of its own."""

    def linear(name: str, of: Tensor) -> Tensor:
        return of @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    h = F.layer_norm(x, x.shape[-1:], state["h.weight"], state["h.bias"])
    u, v, z = (F.silu(linear(name, h)) for name in ("u", "v", "z"))
    q, k = (z * state[f"{name}.scale"] + state[f"{name}.shift"] for name in ("q", "k"))
    weights = F.relu(torch.einsum("bsk,btk->bst", q, k) / x.shape[1]) ** 2 * valid[:, None, :]
    return x + linear("o", u * torch.einsum("bst,bte->bse", weights, v))


@pytest.mark.parametrize("seed", SEEDS)
def test_gated_attention_units(seed: int) -> None:
    small = size(seed)
    spec = load(
        "gated-attention", set={"vocab": str(small.vocab), "d_model": str(small.width), "d_key": "10", "layers": "3"}
    )
    module = fill(compile(spec), seed)
    state = dict(module.state_dict())
    tokens, valid = ids(small, BATCH, 9, seed), right_padded(BATCH, 9)
    valid[1] = torch.tensor([False, True] * 4 + [False])
    x = module.source(tokens)
    for layer in range(3):
        own = {name.removeprefix(f"states.{layer}."): tensor for name, tensor in state.items()}
        x = gated_attention(x, valid, own)
    x = F.layer_norm(x, x.shape[-1:], state["logits.0.weight"], state["logits.0.bias"])
    close(module(tokens, valid), x @ state["source.table"].T)
