"""Specs of sound against reference models."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import archspec
from archspec import weights
from archspec.spec import load
from tests.parity.models import TOLERANCE, filled, ids, size

transformers = pytest.importorskip("transformers")

START, END, NEW = 3, 4, 6


@pytest.mark.parametrize("frames", [24, 38])
def test_whisper(frames: int) -> None:
    """The logits, and the ids that follow from one encoding of the sound, chosen greedily in cached steps."""
    small = size(0)
    config = transformers.WhisperConfig(
        vocab_size=small.vocab,
        num_mel_bins=6,
        d_model=small.width,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=small.heads,
        decoder_attention_heads=small.heads,
        encoder_ffn_dim=small.hidden,
        decoder_ffn_dim=small.hidden,
        max_source_positions=frames // 2,
        max_target_positions=small.context,
        decoder_start_token_id=START,
        eos_token_id=END,
        pad_token_id=0,
        bos_token_id=0,
        begin_suppress_tokens=None,
        suppress_tokens=None,
    )
    reference = filled(transformers.WhisperForConditionalGeneration(config), 0).eval()
    constants = {
        "dims.length": f"[1, 5, {small.context}]",
        "bins": 6,
        "frames": frames,
        "vocab": small.vocab,
        "context": small.context,
        "start": START,
        "end": END,
    }
    spec = load("whisper-tiny", set={**small.constants(), **{name: str(value) for name, value in constants.items()}})
    module = archspec.compile(spec)
    module.load_state_dict(weights.load(spec, dict(reference.state_dict())), strict=True)
    features = torch.randn(2, 6, frames, generator=torch.Generator().manual_seed(0))
    tokens = ids(small, 2, small.context, 0)
    wanted = reference(input_features=features, decoder_input_ids=tokens).logits
    torch.testing.assert_close(module.eval()(features, tokens), wanted, **TOLERANCE)

    rows = archspec.generate(spec, [[], []], max_new=NEW, module=module, inputs={"features": features})
    # Whisper's own `generate` adds prompts, so that of all models is called.
    generated = transformers.GenerationMixin.generate(
        reference, features, decoder_input_ids=torch.full((2, 1), START), max_new_tokens=NEW, do_sample=False
    )
    for row, expected in zip(rows, generated[:, 1:].tolist(), strict=True):
        assert [*row.ids, *[0] * NEW][:NEW] == [*expected, *[0] * NEW][:NEW]


def looks_back(encoder: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a Conformer gives whose attention is causal and whose convolutions have all their zeros in front."""
    for layer in encoder.layers:
        convolution = layer.conv_module.depthwise_conv
        front = 2 * convolution.padding[0]
        convolution.padding = (0,)
        convolution.register_forward_pre_hook(lambda _, given, front=front: nn.functional.pad(given[0], (front, 0)))
    ahead = torch.full((x.shape[1], x.shape[1]), -torch.inf).triu(1)
    for layer in encoder.layers:
        x = layer(x, attention_mask=ahead[None, None])
    return encoder.layer_norm(x)


@pytest.mark.parametrize("frames", [7, 20])
@pytest.mark.parametrize("name", ["conformer-m", "conformer-m-causal"])
def test_conformer(name: str, frames: int) -> None:
    from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import Wav2Vec2ConformerEncoder

    small = size(0)
    config = transformers.Wav2Vec2ConformerConfig(
        hidden_size=small.width,
        num_hidden_layers=2,
        num_attention_heads=small.heads,
        intermediate_size=small.hidden,
        hidden_act="silu",
        conv_depthwise_kernel_size=5,
        num_conv_pos_embeddings=4,
        position_embeddings_type=None,
    )
    encoder = filled(Wav2Vec2ConformerEncoder(config), 0).eval()
    spec = load(name, set={**small.constants(), "kernel": "5"})
    module = archspec.compile(spec)
    module.load_state_dict(weights.load(spec, dict(encoder.state_dict())), strict=True)
    x = torch.randn(2, frames, small.width, generator=torch.Generator().manual_seed(0))
    found = module.eval()(x)
    wanted = looks_back(encoder, x) if name.endswith("causal") else encoder(x).last_hidden_state
    torch.testing.assert_close(found, wanted, **TOLERANCE)
