"""The model type `gpt_oss`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import (
    BALANCING,
    LLAMA_LIKE,
    STATES,
    named_yarn,
    plain_base_rotary,
    tied,
    without_head,
)
from archspec.interop.huggingface.experts import experts
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    Configuration,
    inert,
    must,
    number,
    reads,
    size,
    switch,
)
from archspec.interop.huggingface.layer_kinds import alternating, layer_types
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS

_USUAL = {
    "rope_type": "yarn",
    "factor": 32.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}
"""How positions turn where the configuration does not say."""


def _given(values: dict[str, object]) -> JsonValue:
    members = {name: JsonValue(name=name, value=value) for name, value in values.items()}
    return JsonValue(name="rope_parameters", value=values, members=members)


_READ = plain_base_rotary(named_yarn)["rope_parameters"]


def _rotation(given: JsonValue, configuration: Configuration) -> Changes:
    """Positions that turn by YaRN unless the configuration says otherwise."""
    is_said = given.value is not None or configuration.value("rope_scaling") is not None
    return _READ.changes(given if is_said else _given(_USUAL), configuration)


def _quantisation(given: JsonValue, configuration: Configuration) -> Changes:
    """Experts in MXFP4, as they are published, have the same shapes once they are dequantised."""
    if given.value is not None and given.members.get("quant_method", given).value != "mxfp4":
        given.refuse("quantised weights of another kind than `mxfp4` are not supported")
    return {}


class GptOss(ModelType):
    """gpt-oss: clamped experts, sinks, local and global layers in alternation."""

    word = "gpt_oss"
    about = "gpt-oss (OpenAI 2025, arXiv 2508.10925)"
    base = "gpt-oss-20b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "GptOssForCausalLM": Architecture(outputs={"logits": "logits"}),
        "GptOssModel": without_head(keys=layer_types(alternating(2), "states")),
    }
    keys = {
        **LLAMA_LIKE,
        "hidden_act": inert("experts have an activation of their own"),
        "head_dim": size("constants.head_dim"),
        **plain_base_rotary(),
        "rope_parameters": reads(_rotation, back=_READ.told),
        **layer_types(alternating(2)),
        "attention_bias": switch({True: {}, False: {f"{STATES}.attention.bias": False}}),
        "tie_word_embeddings": switch({False: {}, True: tied()}),
        **experts("num_local_experts", "num_experts_per_tok"),
        "experts_per_token": inert("`num_experts_per_tok` says how many experts are chosen"),
        "swiglu_limit": number(f"{STATES}.feed_forward.clamp.limit"),
        "swiglu_alpha": must(1.702, why="the language has this sigmoid gate alone, as `quick_gelu`"),
        "initial_context_length": inert("the parameters of rotary positions say which length was trained"),
        "output_router_logits": inert("selects what the original returns beside its outputs"),
        "router_aux_loss_coef": BALANCING,
        "quantization_config": reads(_quantisation),
    }
    aliases = {"num_experts": "num_local_experts"}
    defaults = {
        "num_hidden_layers": 36,
        "num_local_experts": 128,
        "vocab_size": 201088,
        "hidden_size": 2880,
        "intermediate_size": 2880,
        "head_dim": 64,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "sliding_window": 128,
        **ROTARY_DEFAULTS,
        "rope_theta": 150000.0,
        "tie_word_embeddings": False,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "attention_dropout": 0.0,
        "num_experts_per_tok": 4,
        "experts_per_token": None,
        "swiglu_alpha": 1.702,
        "swiglu_limit": 7.0,
        "initial_context_length": None,
        "router_aux_loss_coef": 0.001,
        "output_router_logits": False,
        "layer_types": None,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None,
        "attention_bias": True,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 32,
            "intermediate_size": 20,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 6,
            "max_position_embeddings": 24,
            "sliding_window": 5,
            "num_local_experts": 5,
            "num_experts_per_tok": 2,
            "swiglu_limit": 0.5,
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 5000.0,
                "factor": 4.0,
                "truncate": False,
                "original_max_position_embeddings": 6,
            },
        },
        {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}, "attention_bias": False},
        {"layer_types": ["full_attention", "sliding_attention"], "tie_word_embeddings": True, "num_experts_per_tok": 3},
    )
