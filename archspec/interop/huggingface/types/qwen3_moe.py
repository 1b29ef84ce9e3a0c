"""The model type `qwen3_moe`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import ATTENTION_BIAS, BALANCING, LLAMA_LIKE, tied, without_head
from archspec.interop.huggingface.experts import experts
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, SizeKey, inert, must, reads, size, switch
from archspec.interop.huggingface.layer_kinds import windows
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotary

_ALL_SPARSE = "layers without experts between layers with experts are not supported"


def _head_features(given: JsonValue, configuration: Configuration) -> Changes:
    """`head_dim`; null stands for the features divided by the heads."""
    if given.value is not None:
        return SizeKey(path="constants.head_dim").changes(given, configuration)
    return dict.fromkeys(("constants.head_dim", "reduced.constants.head_dim", "graph.states.attention.head_dim"))


class Qwen3Moe(ModelType):
    """Qwen 3 with experts in every layer."""

    word = "qwen3_moe"
    about = "Qwen 3 with experts (Yang et al. 2025, arXiv 2505.09388)"
    base = "qwen3-30b-a3b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "Qwen3MoeForCausalLM": Architecture(outputs={"logits": "logits"}),
        "Qwen3MoeModel": without_head(
            keys=windows("states", is_used="use_sliding_window"), huggingface=(), huggingface_4=()
        ),
    }
    keys = {
        **LLAMA_LIKE,
        "intermediate_size": inert("the width of layers without experts, of which there are none"),
        "moe_intermediate_size": size("constants.d_ff"),
        "head_dim": reads(_head_features, back=size("graph.states.attention.head_dim").told),
        **rotary("graph.states.attention.positions"),
        "attention_bias": ATTENTION_BIAS,
        **windows(is_used="use_sliding_window"),
        "max_window_layers": inert("all layers have the window, or none"),
        "tie_word_embeddings": switch({False: {}, True: tied("huggingface", "huggingface-4")}),
        **experts("num_experts", "num_experts_per_tok"),
        "norm_topk_prob": switch(
            {value: {"graph.states.feed_forward.experts.normalise": value} for value in (True, False)}
        ),
        "decoder_sparse_step": must(1, why=_ALL_SPARSE),
        "mlp_only_layers": must(None, [], why=_ALL_SPARSE),
        "output_router_logits": inert("selects what the original returns beside its outputs"),
        "router_aux_loss_coef": BALANCING,
    }
    aliases = {"num_local_experts": "num_experts"}
    defaults = {
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 24,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": None,
        "hidden_act": "silu",
        "max_position_embeddings": 32768,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        **ROTARY_DEFAULTS,
        "attention_bias": False,
        "use_sliding_window": False,
        "sliding_window": 4096,
        "max_window_layers": 28,
        "attention_dropout": 0.0,
        "decoder_sparse_step": 1,
        "moe_intermediate_size": 768,
        "num_experts_per_tok": 8,
        "num_experts": 128,
        "norm_topk_prob": False,
        "output_router_logits": False,
        "router_aux_loss_coef": 0.001,
        "mlp_only_layers": None,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 32,
            "intermediate_size": 96,
            "moe_intermediate_size": 20,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 24,
            "num_experts": 5,
            "num_experts_per_tok": 2,
            "use_sliding_window": True,
            "sliding_window": 5,
        },
        {"norm_topk_prob": True, "use_sliding_window": False, "tie_word_embeddings": True},
        {"attention_bias": True, "head_dim": 6, "num_experts_per_tok": 3},
    )
