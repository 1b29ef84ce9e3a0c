"""Names and shapes of parameters, against lists written by hand from the published models."""

from __future__ import annotations

from tests.blocks.surroundings import shapes, trial, type_of
from tests.editing import edited

LAYER = """
block: {block}
input: x
layers: 2
residual: {residual}
norm: layer_norm
{more}attention: {{heads: 4, mask: {mask}}}
feed_forward: {{hidden: 256, activation: gelu}}
"""


def _layer(number: int) -> dict[str, tuple[int, ...]]:
    layer = f"layers.{number}"
    attention = {
        f"{layer}.attention.{name}.{kind}": ((64, 64) if kind == "weight" else (64,))
        for name in ("q", "k", "v", "out")
        for kind in ("weight", "bias")
    }
    norms = {
        f"{layer}.{name}_norm.{kind}": (64,) for name in ("attention", "feed_forward") for kind in ("weight", "bias")
    }
    return {
        **attention,
        f"{layer}.feed_forward.up.weight": (256, 64),
        f"{layer}.feed_forward.up.bias": (256,),
        f"{layer}.feed_forward.down.weight": (64, 256),
        f"{layer}.feed_forward.down.bias": (64,),
        **norms,
    }


def test_an_encoder_like_bert() -> None:
    spec = trial(LAYER.format(block="encoder", residual="post", mask="key_valid(valid)", more=""))
    assert shapes(spec) == {**_layer(0), **_layer(1)}
    assert type_of(spec) == "float[batch, n, 64]"


def test_a_decoder_like_gpt2() -> None:
    spec = trial(
        LAYER.format(block="decoder", residual="pre", mask="causal", more="final_norm: true\n"), "{norm: layer_norm}"
    )
    assert shapes(spec) == {**_layer(0), **_layer(1), "final_norm.weight": (64,), "final_norm.bias": (64,)}


def test_parameters_stand_in_the_order_of_the_computation() -> None:
    pre = list(shapes(trial(LAYER.format(block="encoder", residual="pre", mask="all", more="final_norm: false\n"))))
    assert pre[:4] == [
        f"layers.0.{name}"
        for name in ("attention_norm.weight", "attention_norm.bias", "attention.q.weight", "attention.q.bias")
    ]
    post = list(shapes(trial(LAYER.format(block="encoder", residual="post", mask="all", more=""))))
    assert post[:2] == ["layers.0.attention.q.weight", "layers.0.attention.q.bias"]


def test_cross_attention_projects_the_memory_from_its_own_features() -> None:
    more = "cross_attention: {memory: memory, heads: 4, mask: all, memory_norm: layer_norm, bias: [q, v]}\n"
    found = shapes(trial(LAYER.format(block="decoder", residual="post", mask="causal", more=more)))
    cross = {name.removeprefix("layers.1."): shape for name, shape in found.items() if "1.cross_attention" in name}
    assert cross == {
        "cross_attention.memory_norm.weight": (48,),
        "cross_attention.memory_norm.bias": (48,),
        "cross_attention.q.weight": (64, 64),
        "cross_attention.q.bias": (64,),
        "cross_attention.k.weight": (64, 48),
        "cross_attention.v.weight": (64, 48),
        "cross_attention.v.bias": (64,),
        "cross_attention.out.weight": (64, 64),
        "cross_attention_norm.weight": (64,),
        "cross_attention_norm.bias": (64,),
    }


def test_a_layer_like_llama() -> None:
    node = """
block: decoder
input: x
layers: 1
residual: pre
final_norm: true
attention: {heads: 8, kv_heads: 2, mask: causal}
feed_forward: {hidden: 96, activation: silu, gated: true}
"""
    assert shapes(trial(node, "{norm: rms_norm, bias: false}")) == {
        "layers.0.attention_norm.weight": (64,),
        "layers.0.attention.q.weight": (64, 64),
        "layers.0.attention.k.weight": (16, 64),
        "layers.0.attention.v.weight": (16, 64),
        "layers.0.attention.out.weight": (64, 64),
        "layers.0.feed_forward_norm.weight": (64,),
        "layers.0.feed_forward.gate.weight": (96, 64),
        "layers.0.feed_forward.up.weight": (96, 64),
        "layers.0.feed_forward.down.weight": (64, 96),
        "final_norm.weight": (64,),
    }


def test_heads_of_other_sizes_and_norms_of_queries_and_keys() -> None:
    node = """
block: encoder
input: x
layers: 1
residual: bare
attention: {heads: 2, head_dim: 24, value_dim: 8, bias: false, mask: all, qk_norm: {norm: rms_norm, over: OVER}}
feed_forward: none
"""
    common = {
        "layers.0.attention.q.weight": (48, 64),
        "layers.0.attention.k.weight": (48, 64),
        "layers.0.attention.v.weight": (16, 64),
        "layers.0.attention.out.weight": (64, 16),
    }
    for over, size in (("head", 24), ("all", 48)):
        norms = {f"layers.0.attention.{name}_norm.weight": (size,) for name in "qk"}
        assert shapes(trial(edited(node, ("OVER", over)))) == {**common, **norms}


RESIDUAL_NORMS = {
    "pre": {"attention_norm", "feed_forward_norm"},
    "post": {"attention_norm", "feed_forward_norm"},
    "post_branch": {"attention_norm", "feed_forward_norm"},
    "sandwich": {"attention_norm", "attention_post_norm", "feed_forward_norm", "feed_forward_post_norm"},
    "parallel": {"norm"},
    "parallel_split": {"attention_norm", "feed_forward_norm"},
    "bare": set(),
}


def test_the_norms_of_every_residual() -> None:
    for residual, norms in RESIDUAL_NORMS.items():
        more = "" if residual in ("post", "bare") else "final_norm: false\n"
        node = LAYER.format(block="encoder", residual=residual, mask="all", more=more)
        found = shapes(trial(edited(node, ("norm: layer_norm\n", "norm: none\n")) if residual == "bare" else node))
        parts = {name.split(".")[2] for name in found}
        assert parts == {"attention", "feed_forward", *norms}


def test_a_learned_scale_is_one_number_for_each_feature() -> None:
    residual = "{kind: pre, branch_scale: {kind: learned, init: 0.5}}"
    spec = trial(LAYER.format(block="encoder", residual=residual, mask="all", more="final_norm: false\n"))
    found = {name: shape for name, shape in shapes(spec).items() if name.endswith("_scale")}
    assert found == {
        f"layers.{layer}.{name}_scale": (64,) for layer in (0, 1) for name in ("attention", "feed_forward")
    }


def test_shared_layers_hold_one_set_and_the_first_layer_names_it() -> None:
    spec = trial(LAYER.format(block="encoder", residual="post", mask="all", more="share: true\n"))
    assert shapes(spec) == _layer(0)


def test_a_token_embedding_like_bert() -> None:
    node = """
block: token_embedding
ids: ids
vocab: vocab
dim: 32
types: {ids: sorts, count: 2}
positions: {kind: learned, length: 32}
norm: {kind: layer_norm, eps: 1e-12}
"""
    assert shapes(trial(node)) == {
        "table": (100, 32),
        "types": (2, 32),
        "positions": (32, 32),
        "norm.weight": (32,),
        "norm.bias": (32,),
    }


def test_an_offset_adds_rows_to_the_table_of_positions() -> None:
    node = "{block: token_embedding, ids: ids, vocab: vocab, dim: 8, positions: {kind: learned, length: 32, offset: 2}}"
    assert shapes(trial(node)) == {"table": (100, 8), "positions": (34, 8)}


def test_tokens_of_patches() -> None:
    node = "{block: patch_embedding, input: pixels, patch: 16, dim: 8, positions: learned, class_token: true, MORE}"
    plain = {"weight": (8, 3, 16, 16), "bias": (8,), "class_token": (1, 1, 8), "positions": (7, 8)}
    spec = trial(edited(node, (", MORE", "")))
    assert shapes(spec) == plain
    assert type_of(spec) == "float[batch, 7, 8]"
    more = trial(edited(node, ("MORE", "distillation_token: true, registers: 4, mask_token: masked, norm: rms_norm")))
    assert shapes(more) == {
        **plain,
        "positions": (8, 8),
        "distillation_token": (1, 1, 8),
        "registers": (1, 4, 8),
        "mask_token": (1, 1, 8),
        "norm.weight": (8,),
    }
    assert type_of(more) == "float[batch, 12, 8]"


def test_patches_of_an_image_whose_size_is_known_at_run_time() -> None:
    spec = trial("{block: patch_embedding, input: large, patch: 16, dim: 8, positions: {kind: learned, length: 16}}")
    assert shapes(spec)["positions"] == (16, 8)
    value = spec.values["y"]
    assert [value.type.shape[1].value({"side": side}) for side in (16, 32, 64)] == [1, 4, 16]


def test_heads_and_norms_that_are_one_op() -> None:
    assert shapes(trial("{block: linear, input: x, dim: 10}")) == {"weight": (10, 64), "bias": (10,)}
    assert shapes(trial("{block: linear, input: x, dim: 10}", "{bias: false}")) == {"weight": (10, 64)}
    assert shapes(trial("{block: linear, input: x, dim: vocab, bias: false, tie: source.table}")) == {}
    assert shapes(trial("{block: lm_head, input: x, vocab: 7}")) == {"weight": (7, 64)}
    assert shapes(trial("{block: lm_head, input: x, tie: source.table, bias: true}")) == {"bias": (100,)}
    assert shapes(trial("{block: norm, input: x}", "{norm: rms_norm}")) == {"weight": (64,)}
    assert shapes(trial("{block: norm, input: x, kind: layer_norm, bias: false}")) == {"weight": (64,)}
    assert shapes(trial("{block: norm, input: pixels, kind: layer_norm, axis: 1}")) == {"weight": (3,), "bias": (3,)}


def test_types_of_results() -> None:
    assert type_of(trial("{block: lm_head, input: x, tie: source.table}")) == "float[batch, n, 100]"
    assert type_of(trial("{block: pool, input: x, kind: first}")) == "float[batch, 64]"
    assert type_of(trial("{block: pool, input: pixels, kind: mean}")) == "float[batch, 3]"
    assert type_of(trial("{block: l2_normalize, input: x, axis: n}")) == "float[batch, n, 64]"
    assert type_of(trial("{block: norm, input: pixels, kind: rms_norm, axis: 1}")) == "float[batch, 3, 32, 48]"
