"""Compiled specs with published weights against the models that those weights were made for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archspec import weights
from archspec.checking import compile
from archspec.spec import Spec, load
from tests.parity.models import TOLERANCE, EncoderDecoder, Size, fill, ids, right_padded, size

transformers = pytest.importorskip("transformers")

SEEDS = (0, 1, 2)
BATCH = 3


def compiled(
    spec: Spec, source: Path | dict[str, Tensor], layout: str | None = None, *, unproved: bool = False
) -> nn.Module:
    module = compile(spec, unproved=unproved)
    module.load_state_dict(weights.load(spec, source, layout), strict=True)
    return module.eval()


def close(found: Tensor, expected: Tensor, valid: Tensor | None = None) -> None:
    if valid is not None:
        found, expected = found[valid], expected[valid]
    torch.testing.assert_close(found, expected, **TOLERANCE)


def bert(size: Size, seed: int) -> nn.Module:
    config = transformers.BertConfig(
        vocab_size=size.vocab,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.hidden,
        max_position_embeddings=size.context,
    )
    return fill(transformers.BertModel(config), seed)


def text_sizes(size: Size) -> dict[str, str]:
    table = {"vocab": str(size.vocab), "context": str(size.context), "dims.length": f"[1, {size.lengths[0]}, context]"}
    return {**size.constants(), **table}


@pytest.mark.parametrize("seed", SEEDS)
def test_bert_with_its_pooler(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    reference = bert(small, seed)
    reference.save_pretrained(tmp_path)
    module = compiled(load("bert-base", set=text_sizes(small)), tmp_path)
    for length in small.lengths:
        tokens, valid = ids(small, BATCH, length, seed), right_padded(BATCH, length)
        types = (torch.arange(length) > length // 2).long().expand(BATCH, length)
        expected = reference(tokens, attention_mask=valid.long(), token_type_ids=types)
        found = module(tokens, valid, types=types)
        close(found.states, expected.last_hidden_state, valid)
        close(found.pooled, expected.pooler_output)
        close(module(tokens).states, reference(tokens).last_hidden_state)


@pytest.mark.parametrize(
    "wrong",
    [
        {"graph.states.feed_forward.activation": "gelu_tanh"},
        {"defaults.norm.eps": "1e-5"},
        {"graph.states.attention.scale": "1/sqrt(d_model)"},
        {"graph.states.attention.mask": "key_valid(valid) & causal"},
    ],
)
def test_a_slightly_wrong_architecture_is_told(wrong: dict[str, str]) -> None:
    small = size(0)
    reference = bert(small, 0)
    spec = load("bert-base", set={**text_sizes(small), **wrong})
    module = compiled(spec, dict(reference.state_dict()), unproved=True)
    tokens = ids(small, BATCH, small.context, 0)
    with pytest.raises(AssertionError, match="not close"):
        close(module(tokens).states, reference(tokens).last_hidden_state)


@pytest.mark.parametrize("seed", SEEDS)
def test_sentence_embeddings_of_minilm(seed: int) -> None:
    small = size(seed)
    reference = bert(small, seed)
    module = compiled(load("minilm-l6", set=text_sizes(small)), dict(reference.state_dict()))
    for length in small.lengths:
        tokens, valid = ids(small, BATCH, length, seed), right_padded(BATCH, length)
        states = reference(tokens, attention_mask=valid.long()).last_hidden_state
        mean = (states * valid[:, :, None]).sum(1) / valid.sum(1, keepdim=True)
        close(module(tokens, valid).embedding, mean / mean.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_gpt2(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    config = transformers.GPT2Config(
        vocab_size=small.vocab,
        n_positions=small.context,
        n_embd=small.width,
        n_layer=small.layers,
        n_head=small.heads,
        n_inner=small.hidden,
        bos_token_id=0,
        eos_token_id=0,
    )
    reference = fill(transformers.GPT2LMHeadModel(config), seed)
    reference.save_pretrained(tmp_path)
    module = compiled(load("gpt2", set=text_sizes(small)), tmp_path)
    for length in small.lengths:
        tokens, valid = ids(small, BATCH, length, seed), right_padded(BATCH, length)
        close(module(tokens), reference(tokens, attention_mask=valid.long()).logits, valid)
        close(module(tokens), reference(tokens).logits)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("layout", ["huggingface", "huggingface-4"])
def test_vit(seed: int, layout: str, tmp_path: Path) -> None:
    small = size(seed)
    image, patch, classes = 8 * (2 + seed), 4 + 4 * (seed % 2), 5 + seed
    config = transformers.ViTConfig(
        image_size=image,
        patch_size=patch,
        hidden_size=small.width,
        num_hidden_layers=small.layers,
        num_attention_heads=small.heads,
        intermediate_size=small.hidden,
        num_labels=classes,
    )
    reference = fill(transformers.ViTForImageClassification(config), seed)
    reference.save_pretrained(tmp_path)
    sizes = {"image": str(image), "patch": str(patch), "classes": str(classes)}
    spec = load("vit-b16", set={**small.constants(), **sizes})
    # What is saved has the older names; the modules in memory have those of version 5.
    assert any("encoder.layer.0." in name for name in weights.read_weights(tmp_path))
    source = tmp_path if layout == "huggingface-4" else dict(reference.state_dict())
    for named in (None, layout):
        module = compiled(spec, source, named)
        for batch in (1, BATCH):
            pixels = torch.randn(batch, 3, image, image, generator=torch.Generator().manual_seed(seed))
            close(module(pixels), reference(pixels).logits)


PRE = {
    f"{path}.{stack}.{rest}": value
    for stack in ("memory", "states")
    for path, rest, value in (
        ("graph", "residual", "pre"),
        ("graph", "final_norm", "true"),
        ("weights.torch.map", "map.final_norm", "norm"),
    )
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("norm_first", [False, True], ids=["post", "pre"])
def test_the_encoder_decoder_transformer(seed: int, norm_first: bool) -> None:
    small = size(seed)
    reference = fill(EncoderDecoder(small, norm_first=norm_first), seed)
    sizes = {**small.constants(), "vocab": str(small.vocab)}
    spec = load("transformer-base", set={**sizes, **(PRE if norm_first else {})})
    module = compiled(spec, dict(reference.state_dict()))
    for src, tgt in (small.lengths, small.lengths[::-1]):
        source, target = ids(small, BATCH, src, seed), ids(small, BATCH, tgt, seed + 100)
        valid = right_padded(BATCH, src)
        close(module(source, valid, target), reference(source, valid, target))
        whole = torch.ones_like(valid)
        close(module(source, whole, target), reference(source, whole, target))


@pytest.mark.parametrize("seed", SEEDS)
def test_t5(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    config = transformers.T5Config(
        vocab_size=small.vocab,
        d_model=small.width,
        d_kv=6,
        d_ff=small.hidden,
        num_layers=small.layers,
        num_heads=small.heads,
        tie_word_embeddings=True,
    )
    reference = fill(transformers.T5ForConditionalGeneration(config), seed)
    reference.save_pretrained(tmp_path)
    # Far enough that distances share the last bucket.
    lengths = {"longest": "160", "head_dim": "6", "vocab": str(small.vocab)}
    module = compiled(load("t5-small", set={**small.constants(), **lengths}), tmp_path)
    for src, tgt in ((150, 7), (5, 150)):
        source, target, valid = ids(small, 2, src, seed), ids(small, 2, tgt, seed + 1), right_padded(2, src)
        expected = reference(input_ids=source, attention_mask=valid.long(), decoder_input_ids=target).logits
        close(module(source, valid, tgt_ids=target), expected)
        close(module(source, tgt_ids=target), reference(input_ids=source, decoder_input_ids=target).logits)


def llama_sizes(small: Size) -> dict[str, object]:
    return {
        "vocab_size": small.vocab,
        "hidden_size": small.width,
        "intermediate_size": small.hidden,
        "num_hidden_layers": small.layers,
        "num_attention_heads": small.heads,
        "max_position_embeddings": small.context,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }


LLAMAS = {"llama-3-8b": (500000.0, False), "smollm2-135m": (100000.0, True)}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LLAMAS)
def test_llama(name: str, seed: int, tmp_path: Path) -> None:
    small, (base, tied) = size(seed), LLAMAS[name]
    config = transformers.LlamaConfig(
        **llama_sizes(small),
        num_key_value_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": base},
        tie_word_embeddings=tied,
    )
    reference = fill(transformers.LlamaForCausalLM(config), seed)
    reference.save_pretrained(tmp_path)
    module = compiled(load(name, set={**text_sizes(small), "kv_heads": "1", "decode.end": "0"}), tmp_path)
    for length in small.lengths:
        tokens = ids(small, BATCH, length, seed)
        close(module(tokens), reference(tokens).logits)


@pytest.mark.parametrize("seed", SEEDS)
def test_mixtral(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    config = transformers.MixtralConfig(
        **llama_sizes(small),
        num_key_value_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        num_local_experts=4,
        num_experts_per_tok=2,
        experts_implementation="eager",
    )
    reference = fill(transformers.MixtralForCausalLM(config), seed)
    reference.save_pretrained(tmp_path)
    spec = load("mixtral-8x7b", set={**text_sizes(small), "kv_heads": "1", "experts": "4"})
    # What is saved has the older names, one tensor an expert; the modules in memory have those of version 5.
    assert any("block_sparse_moe.experts.0.w1" in name for name in weights.read_weights(tmp_path))
    for source in (tmp_path, dict(reference.state_dict())):
        module = compiled(spec, source)
        for length in small.lengths:
            tokens = ids(small, BATCH, length, seed)
            close(module(tokens), reference(tokens).logits)


def test_llama_cpp_stores_queries_and_keys_pair_by_pair() -> None:
    sizes = {"d_model": "16", "heads": "4", "kv_heads": "2", "d_ff": "8", "layers": "1", "vocab": "9"}
    spec = load("smollm2-135m", set=sizes)
    parameters = weights.parameter_shapes(spec.graph)
    state = {name: torch.randn(shape) for name, shape in parameters.items()}
    theirs = weights.export_weights(parameters, weights.layouts(spec)[1], state)
    for ours, name, heads in (("q", "attn_q", 4), ("k", "attn_k", 2)):
        stored = theirs[f"blk.0.{name}.weight"]
        rows, columns = stored.shape
        undone = stored.reshape(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)
        torch.testing.assert_close(undone, state[f"states.layers.0.attention.{ours}.weight"])
