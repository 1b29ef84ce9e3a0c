"""Rotary positions against the models that brought each option."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from archspec.checking import compile
from archspec.spec import load
from tests.options import option
from tests.parity.models import fill
from tests.parity.options import close, decoder, differ, module_of, tokens

transformers = pytest.importorskip("transformers")

LLAMA = """
source.table: embed_tokens.weight
states.layers.*:
  from: layers.*
  map:
    attention_norm: input_layernorm
    attention.(q k v out): self_attn.(q_proj k_proj v_proj o_proj)
    feed_forward_norm: post_attention_layernorm
    feed_forward.(gate up down): mlp.(gate_proj up_proj down_proj)
states.final_norm: norm
"""
SMALL = {
    "vocab_size": 60,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
}
SCALINGS = {
    "none": ({"rope_type": "default"}, "none"),
    "linear": ({"rope_type": "linear", "factor": 4.0}, "{kind: linear, factor: 4}"),
    "llama3": (
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
        "{kind: llama3, factor: 8, low: 1, high: 4, original: 64}",
    ),
    "yarn": (
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
        "{kind: yarn, factor: 4, original: 64, truncate: true}",
    ),
    "yarn with a magnitude, not truncated": (
        {
            "rope_type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 64,
            "attention_factor": 1.75,
            "truncate": False,
        },
        "{kind: yarn, factor: 4, original: 64, magnitude: 1.75, truncate: false}",
    ),
    "yarn with a range": (
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 8, "beta_slow": 2},
        "{kind: yarn, factor: 4, original: 64, fast: 8, slow: 2}",
    ),
}


def llama(**options: Any) -> nn.Module:
    return fill(transformers.LlamaModel(transformers.LlamaConfig(**{**SMALL, **options})), 1)


SCALED = {
    "none": ["attention_positions.scaling=none"],
    "linear": ["attention_positions.scaling", "scaling.kind=linear", "scaling.factor", "scaling.factor@linear"],
    "llama3": [
        "scaling.kind=llama3",
        "scaling.low",
        "scaling.high",
        "scaling.original",
        "scaling.factor@llama3",
        "scaling.original@llama3",
    ],
    "yarn": [
        "scaling.kind=yarn",
        "scaling.truncate=true",
        "scaling.original",
        "scaling.factor@yarn",
        "scaling.original@yarn",
    ],
    "yarn with a magnitude, not truncated": [
        *("scaling.magnitude", "scaling.magnitude@yarn", "scaling.truncate=false"),
    ],
    "yarn with a range": ["scaling.fast", "scaling.slow"],
}


@option("attention_positions.kind=rotary", "attention_positions.layout=half", "attention_positions.base")
@option("attention_positions.layout@rotary", "attention_positions.base@rotary")
@pytest.mark.parametrize("scaling", [pytest.param(name, marks=option(*SCALED[name])) for name in SCALINGS])
def test_llama_and_its_scalings(scaling: str) -> None:
    theirs, ours = SCALINGS[scaling]
    reference = llama(num_key_value_heads=2, rope_parameters={"rope_theta": 1000.0, **theirs})
    spec = decoder(
        attention=f"kv_heads: 2\nmask: causal\npositions: {{kind: rotary, layout: half, base: 1000, scaling: {ours}}}",
        map=LLAMA,
    )
    expected = reference(tokens()).last_hidden_state
    close(module_of(spec, reference)(tokens()), expected)
    if scaling != "none":
        plain = llama(num_key_value_heads=2, rope_parameters={"rope_theta": 1000.0, "rope_type": "default"})
        differ(plain(tokens()).last_hidden_state, expected)


@pytest.mark.parametrize("size", [32, 64, 80, 128])
@pytest.mark.parametrize("base", [10000, 100000, 500000, 1000000])
def test_angles_are_rounded_as_in_published_models(base: int, size: int) -> None:
    # In float32 the last bit of a frequency moves position 8,191 by half a thousandth of a turn.
    emitted = type(compile(load("smollm2-135m", reduced=True))).forward.__globals__
    config = transformers.LlamaConfig(hidden_size=size, num_attention_heads=1, rope_theta=float(base))
    positions, x = torch.arange(8192), torch.zeros(1, 8192, size)
    cos, sin = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(config)(x, positions[None])
    table = emitted["rotary_table"](x, emitted["rotary_frequencies"](x, size, base), positions)
    assert torch.equal(table[0], cos[0, :, : size // 2])
    assert torch.equal(table[1], sin[0, :, : size // 2])


SHORT, LONG = [1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0], [1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0]
BY_LENGTH = {
    "dynamic": ({"rope_type": "dynamic", "factor": 4.0}, "{kind: dynamic, factor: 4, original: 16}"),
    "longrope": (
        {
            "rope_type": "longrope",
            "short_factor": SHORT,
            "long_factor": LONG,
            "original_max_position_embeddings": 16,
            "attention_factor": 1.25,
        },
        f"{{kind: longrope, short: {SHORT}, long: {LONG}, original: 16, magnitude: 1.25}}",
    ),
}
BY_LENGTH_TRIED = {
    "dynamic": ("scaling.kind=dynamic", "scaling.factor@dynamic", "scaling.original@dynamic"),
    "longrope": (
        *("scaling.kind=longrope", "scaling.short", "scaling.long", "scaling.original@longrope"),
        "scaling.magnitude@longrope",
    ),
}


@pytest.mark.parametrize("kind", [pytest.param(name, marks=option(*BY_LENGTH_TRIED[name])) for name in BY_LENGTH])
def test_scalings_by_the_length(kind: str) -> None:
    """Within the original length, at it, and beyond; a model keeps what it made for a length, so each has its own."""
    theirs, ours = BY_LENGTH[kind]
    options = {"max_position_embeddings": 16, "rope_parameters": {"rope_theta": 1000.0, **theirs}}
    spec = decoder(
        attention=f"mask: causal\npositions: {{kind: rotary, layout: half, base: 1000, scaling: {ours}}}", map=LLAMA
    )
    for length in (9, 16, 17, 24, 32):
        given, reference = tokens(length=length), llama(**options)
        close(module_of(spec, reference)(given), reference(given).last_hidden_state)
    plain = llama(max_position_embeddings=16, rope_parameters={"rope_theta": 1000.0, "rope_type": "default"})
    (close if kind == "dynamic" else differ)(
        plain(tokens(length=9)).last_hidden_state, llama(**options)(tokens(length=9)).last_hidden_state
    )
    differ(plain(given).last_hidden_state, reference(given).last_hidden_state)


@option("attention_positions.ids")
@pytest.mark.parametrize("rank", [1, 2])
def test_ids_of_positions(rank: int) -> None:
    reference = llama()
    spec = decoder(
        inputs=f"places: {'int64[n]' if rank == 1 else 'int64[batch, n]'}",
        attention="mask: causal\npositions: {kind: rotary, layout: half, ids: places}",
        map=LLAMA,
    )
    places = torch.stack([3 * torch.arange(24), torch.arange(24).flip(0)])[:rank]
    given = places[0] if rank == 1 else places
    mask = torch.ones(24, 24, dtype=torch.bool).tril().expand(2, 1, 24, 24)
    expected = reference(tokens(), position_ids=places.expand(2, 24), attention_mask=mask).last_hidden_state
    close(module_of(spec, reference)(tokens(), given), expected)
    differ(reference(tokens()).last_hidden_state, expected)


@option("attention_positions.size", "attention_positions.scaling=none", "attention_positions.ids=none")
@option("attention_positions.size@rotary")
@pytest.mark.parametrize(
    "parallel", [pytest.param(True, marks=option("residual.kind=parallel_split")), pytest.param(False)]
)
def test_part_of_a_head_turns_in_gpt_neox(parallel: bool) -> None:
    config = transformers.GPTNeoXConfig(
        vocab_size=60,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25},
        use_parallel_residual=parallel,
    )
    reference = fill(transformers.GPTNeoXModel(config), 2)
    heads = "{{from: attention.query_key_value.{0}, rearrange: {1}, sizes: {{h: 4, p: 3}}, split: 0}}"
    spec = decoder(
        norm="layer_norm",
        bias="true",
        residual="parallel_split" if parallel else "pre",
        attention="mask: causal\npositions: {kind: rotary, layout: half, size: 4}",
        feed_forward="{hidden: hidden, activation: gelu}",
        map=f"""
source.table: embed_in.weight
states.layers.*:
  from: layers.*
  map:
    attention_norm: input_layernorm
    attention.(q k v).weight: {heads.format("weight", '"(h p e) d -> (p h e) d"')}
    attention.(q k v).bias: {heads.format("bias", '"(h p e) -> (p h e)"')}
    attention.out: attention.dense
    feed_forward_norm: post_attention_layernorm
    feed_forward.(up down): mlp.(dense_h_to_4h dense_4h_to_h)
states.final_norm: final_layer_norm
""",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("attention_positions.layout=interleaved", "residual.kind=parallel", "attention.bias=false")
@option("attention_positions.size")
def test_interleaved_pairs_of_gpt_j() -> None:
    config = transformers.GPTJConfig(
        vocab_size=60, n_positions=32, n_embd=64, n_layer=2, n_head=4, rotary_dim=8, n_inner=96
    )
    reference = fill(transformers.GPTJModel(config), 3)
    spec = decoder(
        norm="layer_norm",
        bias="true",
        residual="parallel",
        attention="mask: causal\nbias: false\npositions: {kind: rotary, layout: interleaved, size: 8}",
        feed_forward="{hidden: hidden, activation: gelu_tanh}",
        map="""
source.table: wte.weight
states.layers.*:
  from: h.*
  map:
    norm: ln_1
    attention.(q k v out): attn.(q_proj k_proj v_proj out_proj)
    feed_forward.(up down): mlp.(fc_in fc_out)
states.final_norm: ln_f
""",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)
