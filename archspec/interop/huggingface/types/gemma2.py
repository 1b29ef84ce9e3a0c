"""The model type `gemma2`."""

from __future__ import annotations

from archspec.interop.huggingface.decoders import plain_base_rotary, without_head
from archspec.interop.huggingface.gemma import GEMMA, NO_SOFTCAP
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.layer_kinds import alternating, layer_types
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS

_BODY = without_head(keys={**layer_types(alternating(2), "states"), **NO_SOFTCAP})


class Gemma2(ModelType):
    """Gemma 2, local and global layers in alternation."""

    word = "gemma2"
    about = "Gemma 2 (Riviere et al. 2024, arXiv 2408.00118)"
    base = "gemma-2-2b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "Gemma2ForCausalLM": Architecture(outputs={"logits": "logits"}),
        "Gemma2Model": _BODY,
        "Gemma2ForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        **GEMMA,
        **plain_base_rotary(),
        **layer_types(alternating(2)),
    }
    defaults = {
        "vocab_size": 256000,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_act": None,
        "max_position_embeddings": 8192,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
        "tie_word_embeddings": True,
        **ROTARY_DEFAULTS,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "query_pre_attn_scalar": 256,
        "sliding_window": 4096,
        "layer_types": None,
        "final_logit_softcapping": 30.0,
        "attn_logit_softcapping": 50.0,
        "use_bidirectional_attention": None,
        "cache_implementation": None,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 12,
            "query_pre_attn_scalar": 12,
            "sliding_window": 5,
            "max_position_embeddings": 24,
        },
        {"query_pre_attn_scalar": 20, "attn_logit_softcapping": 0.5, "final_logit_softcapping": None},
        {"attn_logit_softcapping": None, "layer_types": ["full_attention"] * 3, "attention_bias": True},
        {"sliding_window": 30, "tie_word_embeddings": False, "hidden_activation": "gelu", "rms_norm_eps": 1e-3},
    )
