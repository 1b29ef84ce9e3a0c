"""Models of transformers as GGUF files, written as llama.cpp's `convert_hf_to_gguf.py` does, by the package `gguf`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import torch
import transformers
from torch import Tensor

SIZES = {"vocab_size": 61, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 40}
ROPE = {"rope_type": "default", "rope_theta": 5000.0}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}

Model = Any


def llama(**more: Any) -> Model:
    given = {**SIZES, **HEADS, "rms_norm_eps": 1e-5, "rope_parameters": dict(ROPE), "tie_word_embeddings": True, **more}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**given))


def llama_long() -> Model:
    scaling = {**LLAMA3, "original_max_position_embeddings": 8192}
    return llama(head_dim=64, rope_parameters=scaling, tie_word_embeddings=False)


def qwen2() -> Model:
    given = {**SIZES, **HEADS, "rms_norm_eps": 1e-6, "rope_parameters": dict(ROPE), "tie_word_embeddings": True}
    return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**given))


def qwen3() -> Model:
    given = {**SIZES, **HEADS, "rms_norm_eps": 1e-6, "rope_parameters": dict(ROPE), "head_dim": 6}
    return transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**given))


def gemma2() -> Model:
    given = {**SIZES, **HEADS, "head_dim": 6, "query_pre_attn_scalar": 6, "sliding_window": 4}
    return transformers.Gemma2ForCausalLM(transformers.Gemma2Config(**given))


def gemma3() -> Model:
    given = {**SIZES, **HEADS, "num_hidden_layers": 7, "head_dim": 6, "query_pre_attn_scalar": 6, "sliding_window": 4}
    return transformers.Gemma3ForCausalLM(transformers.Gemma3TextConfig(**given))


def phi3() -> Model:
    given = {**SIZES, **HEADS, "sliding_window": 5, "rope_parameters": dict(ROPE), "pad_token_id": 0}
    return transformers.Phi3ForCausalLM(transformers.Phi3Config(**given, original_max_position_embeddings=40))


def gpt2() -> Model:
    sizes = {"vocab_size": 61, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40, "n_inner": 48}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes))


MODELS: Mapping[str, tuple[str, Callable[[], Model]]] = {
    "llama": ("llama", llama),
    "llama-long": ("llama", llama_long),
    "llama-biases": ("llama", lambda: llama(attention_bias=True, mlp_bias=True)),
    "qwen2": ("qwen2", qwen2),
    "qwen3": ("qwen3", qwen3),
    "gemma2": ("gemma2", gemma2),
    "gemma3": ("gemma3", gemma3),
    "phi3": ("phi3", phi3),
    "gpt2": ("gpt2", gpt2),
}
"""By a name, the architecture of llama.cpp and a model with random weights."""


def made(name: str) -> Model:
    """A model with random weights of few digits, vectors too, so that a 1 added and taken off leaves no rounding."""
    torch.manual_seed(1)
    model = MODELS[name][1]().eval()
    draw = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        parameter.data = torch.randint(-128, 128, parameter.shape, generator=draw) / 512
    return model


def written(path: Path, name: str, format: str = "F32", **more: Any) -> Model:
    """Write a model's file; returns the model. `more` are further keys without the architecture in front."""
    model, word = made(name), MODELS[name][0]
    writer = gguf.GGUFWriter(path, word)
    _metadata(writer, model.config, word)
    for key, value in more.items():
        writer.add_key_value(f"{word}.{key}", *value)
    kind = gguf.GGMLQuantizationType[format]
    for key, tensor in tensors(model, word).items():
        own = kind if tensor.dim() > 1 and tensor.shape[-1] % 32 == 0 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(key, gguf.quantize(tensor.contiguous().numpy(), own), raw_dtype=own)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _metadata(writer: Any, config: Any, word: str) -> None:
    """What the converter writes of a configuration."""
    writer.add_name("small")
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_eos_token_id(2)
    if word == "gpt2":
        writer.add_feed_forward_length(config.n_inner)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    parameters = config.rope_parameters
    # Gemma 3 has one rotation for each kind of layer.
    theta = parameters["full_attention"]["rope_theta"] if word == "gemma3" else parameters["rope_theta"]
    writer.add_rope_freq_base(theta)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if word not in ("qwen2", "phi3"):
        writer.add_key_length(size)
        writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    if word in ("gemma2", "gemma3", "phi3"):
        writer.add_sliding_window(config.sliding_window)
    if word == "phi3":
        writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
    if word == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)


def tensors(model: Model, word: str) -> dict[str, Tensor]:
    """The tensors of a model under the names of llama.cpp, changed as its converter does."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[word.upper()], model.config.num_hidden_layers)
    found: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        if word == "llama" and ("q_proj" in name or "k_proj" in name):
            heads = model.config.num_attention_heads if "q_proj" in name else model.config.num_key_value_heads
            tensor = tensor.reshape(heads, 2, -1, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)
        if word.startswith("gemma") and name.endswith("norm.weight"):
            tensor = tensor + 1
        if word == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            tensor = tensor.T
        key = names.get_name(name, (".weight", ".bias"))
        assert key is not None, name
        found[key] = tensor
    if (scaling := getattr(model.config, "rope_parameters", None)) and scaling.get("rope_type") == "llama3":
        found["rope_freqs.weight"] = factors(model)
    return found


def factors(model: Model) -> Tensor:
    """What divides the frequencies of a rotation that is not scaled: transformers has them multiplied in."""
    size, theta = model.config.head_dim, model.config.rope_parameters["rope_theta"]
    plain = 1.0 / (theta ** (torch.arange(0, size, 2) / size))
    return plain / model.model.rotary_emb.inv_freq
