"""`tools/from_gguf` on a small file that is written here: the model and the tokenizer that went into it come out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from archspec.decoding import read_tokenizer
from archspec.spec import load
from archspec.weights import load as load_weights
from tests.decoding.gguf_file import read
from tests.decoding.words import MERGES, by_bytes
from tests.loading import load_tool

gguf = pytest.importorskip("gguf")
transformers = pytest.importorskip("transformers")

HEADS, KV_HEADS, TEMPLATE = 4, 2, "{{ messages[0].content }}"
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("from_gguf")


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    sizes = {"vocab_size": 266, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "tie_word_embeddings": True}
    rope = {"rope_type": "default", "rope_theta": 5000.0}
    config = transformers.LlamaConfig(**sizes, **heads, rms_norm_eps=1e-6, rope_parameters=rope)
    return transformers.LlamaForCausalLM(config).eval()


def pair_by_pair(weight: Tensor, heads: int) -> Tensor:
    """The order of llama.cpp for the rows of q and k: the two halves of each head in turn."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def write(path: Path, model: Any, pre: str = "smollm", drop: str = "", blocks: Mapping[str, str] | None = None) -> Path:
    """Write a model; `blocks` names the formats of tensors that are quantised."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_block_count(2)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(5000.0)
    writer.add_rope_dimension_count(8)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(266)
    vocab = by_bytes().get_vocab()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(sorted(vocab, key=lambda token: vocab[token]))
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * 263)
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_chat_template(TEMPLATE)
    for name, tensor in model.state_dict().items():
        if name in ("lm_head.weight", drop):
            continue
        if "q_proj" in name or "k_proj" in name:
            tensor = pair_by_pair(tensor, HEADS if "q_proj" in name else KV_HEADS)
        if name in (blocks or {}):
            format = gguf.GGMLQuantizationType[(blocks or {})[name]]
            writer.add_tensor(_named(name), gguf.quantize(tensor.numpy(), format), raw_dtype=format)
        else:
            writer.add_tensor(_named(name), tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _named(name: str) -> str:
    if name.startswith("model.layers."):
        number, _, rest = name.removeprefix("model.layers.").partition(".")
        return f"blk.{number}.{NAMES[rest.removesuffix('.weight')]}.weight"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]


def test_the_model_and_the_tokenizer_come_out(
    tool: ModuleType, model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = write(tmp_path / "small.gguf", model), tmp_path / "made" / "small"
    assert tool.main([str(path), str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    again = transformers.AutoModelForCausalLM.from_pretrained(folder)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=0, atol=0)
    assert again.config.rope_parameters["rope_theta"] == 5000.0
    tokenizer = read_tokenizer(folder)
    assert tokenizer.encode("<turn>the é") == by_bytes().encode("<turn>the é").ids
    # Digits stand alone, so that both spaces before the first stay together.
    split = tokenizer.library.pre_tokenizer.pre_tokenize_str("the  20")
    assert [piece for piece, _ in split] == ["the", "ĠĠ", "2", "0"]
    assert (tokenizer.end, tokenizer.config.template) == (0, TEMPLATE)
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert tool.main([str(path), str(tmp_path / "half"), "--dtype", "float16"]) == 0
    half = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "half", dtype="auto")
    assert torch.equal(half.lm_head.weight, model.lm_head.weight.half())
    assert json.loads((tmp_path / "half" / "config.json").read_text())["dtype"] == "float16"


def test_weights_in_blocks_of_few_bits(tool: ModuleType, model: Any, tmp_path: Path) -> None:
    """As another reader decodes them; rows of q and k, which are stored pair by pair, too."""
    q, down = "model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight"
    path = write(tmp_path / "small.gguf", model, blocks={q: "Q4_1", down: "Q8_0"})
    assert tool.main([str(path), str(tmp_path / "made")]) == 0
    made = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "made").state_dict()
    stored = {name: torch.from_numpy(tensor) for name, tensor in read(path).items()}
    torch.testing.assert_close(made[down], stored[_named(down)], rtol=0, atol=0)
    torch.testing.assert_close(pair_by_pair(made[q], HEADS), stored[_named(q)], rtol=0, atol=0)
    assert 0 < float((made[q] - model.state_dict()[q]).abs().max()) < 0.01
    sizes = ("vocab=266", "context=128", "d_model=32", "heads=4", "kv_heads=2", "d_ff=64", "layers=2")
    spec = load("smollm2-135m", set=sizes)
    ours, theirs = (load_weights(spec, file) for file in (path, tmp_path / "made"))
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor)


def test_what_cannot_be_converted(
    tool: ModuleType, model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write(tmp_path / "small.gguf", model)
    other = write(tmp_path / "other.gguf", model, pre="tekken")
    lacking = write(tmp_path / "lacking.gguf", model, drop="model.layers.1.mlp.up_proj.weight")
    (tmp_path / "there").mkdir()
    for path, folder, message in (
        (tmp_path / "no.gguf", "new", "there is no file"),
        (whole, "there", "there exists; remove it or name another"),
        (other, "new", "`tokenizer.ggml.pre` is tekken; known are gpt-2, smollm"),
        (lacking, "new", "the GGUF lacks ['model.layers.1.mlp.up_proj.weight'] of the model"),
    ):
        assert tool.main([str(path), str(tmp_path / folder)]) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "new").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"small.gguf", "other.gguf", "lacking.gguf", "there"}


def test_its_help_names_the_models(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tool.main(["--help"])
    assert "smollm2-135m" in capsys.readouterr().out
