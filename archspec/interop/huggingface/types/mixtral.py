"""The model type `mixtral`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import BALANCING, LLAMA_LIKE, tied, without_head
from archspec.interop.huggingface.experts import experts
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.keys import inert, switch
from archspec.interop.huggingface.layer_kinds import windows
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.parts import HEAD_FEATURES
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotary

_TIED: Changes = tied("huggingface", "huggingface-4")

_BODY = without_head(keys=windows("states"), huggingface=(), huggingface_4=())


class Mixtral(ModelType):
    """Mixtral, experts in every layer."""

    word = "mixtral"
    about = "Mixtral, a mixture of experts (Jiang et al. 2024, arXiv 2401.04088)"
    base = "mixtral-8x7b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "MixtralForCausalLM": Architecture(outputs={"logits": "logits"}),
        "MixtralModel": _BODY,
        "MixtralForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        **LLAMA_LIKE,
        "head_dim": HEAD_FEATURES,
        **rotary("graph.states.attention.positions"),
        **windows(),
        "tie_word_embeddings": switch({False: {}, True: _TIED}),
        **experts("num_local_experts", "num_experts_per_tok"),
        "output_router_logits": inert("selects what the original returns beside its outputs"),
        "router_aux_loss_coef": BALANCING,
        "router_jitter_noise": inert("concerns training alone"),
    }
    aliases = {"num_experts": "num_local_experts"}
    defaults = {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": None,
        "hidden_act": "silu",
        "max_position_embeddings": 131072,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-5,
        "pad_token_id": None,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
        "sliding_window": None,
        "attention_dropout": 0.0,
        "num_experts_per_tok": 2,
        "num_local_experts": 8,
        "output_router_logits": False,
        "router_aux_loss_coef": 0.001,
        "router_jitter_noise": 0.0,
        **ROTARY_DEFAULTS,
        "rope_theta": 1000000.0,
    }
    small = (
        {
            "vocab_size": 60,
            "pad_token_id": 0,
            "hidden_size": 32,
            "intermediate_size": 40,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 24,
            "num_local_experts": 5,
            "bos_token_id": 0,
        },
        {"sliding_window": 5, "tie_word_embeddings": True, "num_experts_per_tok": 3},
        {"head_dim": 6, "hidden_act": "gelu", "num_experts_per_tok": 1},
    )
