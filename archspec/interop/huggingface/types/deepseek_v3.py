"""The model type `deepseek_v3`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from archspec.interop.huggingface.changes import Changes, number_text
from archspec.interop.huggingface.decoders import (
    BALANCING,
    LLAMA_LIKE,
    STATES,
    named_yarn,
    norm_eps,
    plain_base_rotary,
    tied,
    without_head,
)
from archspec.interop.huggingface.experts import experts
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    Configuration,
    SizeKey,
    inert,
    must,
    number,
    part_of,
    reads,
    size,
    switch,
)
from archspec.interop.huggingface.layer_kinds import layers_of, told_kinds
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotation_told
from archspec.interop.huggingface.told import UNTOLD, Told

_ATTENTION = f"{STATES}.attention"
_POSITIONS = f"{_ATTENTION}.positions"
_EXPERTS = f"{STATES}.kinds.sparse.feed_forward.experts"
_LAYOUTS = ("huggingface", "huggingface-4")
_FREQUENCIES = "layers.*.self_attn.rotary_emb.inv_freq"
_OF_DENSE = (f"{STATES}.kinds.dense", "constants.d_ff", "reduced.constants.d_ff")
_ROUTING = "other choices of experts are not supported"


def _rotation(given: JsonValue, configuration: Configuration) -> Changes:
    """Positions that turn part of a head, by YaRN with a sharper softmax."""
    turning = Configuration(values={**configuration.values, "head_dim": configuration["qk_rope_head_dim"]})
    changes = plain_base_rotary(named_yarn)["rope_parameters"].changes(given, turning)
    return {**changes, f"{_ATTENTION}.scale": _scale(given if given.value else configuration["rope_scaling"])}


def _scale(parameters: JsonValue) -> str | None:
    """The scale of scores, by (0.1 * mscale_all_dim * ln(factor) + 1)^2 more than usual."""
    values = parameters.value or {}
    kind = values.get("rope_type") or values.get("type") or "default"
    part, factor = values.get("mscale_all_dim"), values.get("factor")
    if kind == "default" or not part or factor is None or factor <= 1:
        return None
    return f"{number_text((0.1 * part * math.log(factor) + 1) ** 2)}/sqrt(head_dim)"


def _told_rotation(told: Told) -> Any:
    """The parameters of the rotation of a document, with what sharpens its scores."""
    found = rotation_told(_POSITIONS)(told)
    scale = told.word(f"{_ATTENTION}.scale")
    sharpened = re.fullmatch(r"(\d+\.?\d*(?:e-?\d+)?)/sqrt\(head_dim\)", scale or "")
    factor = None if found is UNTOLD else found.get("factor")
    if sharpened is None or not isinstance(factor, int | float) or factor <= 1:
        return found
    part = (math.sqrt(float(sharpened[1])) - 1) / (0.1 * math.log(factor))
    # Of few digits, but as many as its square needs to come out the same.
    rounded = ({**found, "mscale_all_dim": round(part, digits)} for digits in range(17))
    return next((one for one in rounded if _scale(JsonValue(name="", value=one)) == scale), found)


def _told_still(told: Told) -> Any:
    """The features of a head of a document that do not turn."""
    whole, turning = told.number(f"{_ATTENTION}.head_dim"), told.number(f"{_ATTENTION}.latent.rotary")
    return UNTOLD if whole is None or turning is None else whole - turning


def _head(given: JsonValue, configuration: Configuration) -> Changes:
    """The features of a head: those that turn, and those that do not."""
    turned = configuration["qk_rope_head_dim"]
    (still,), (turning,) = (SizeKey(path="").changes(one, configuration).values() for one in (given, turned))
    return {"constants": {"head_dim": still + turning, "rotary_dim": turning}}


def _layouts(lines: Mapping[str, str | None]) -> Changes:
    """Lines on a layer changed in both layouts."""
    return {f"weights.{name}.map": {"states.layers.*": {"map": lines}} for name in _LAYOUTS}


def _sum_of(*names: str) -> Callable[[JsonValue, Configuration], Changes]:
    """A key that the original derives from others; a file may leave it out."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        parts = [configuration.value(name) for name in names]
        if given.value is not None and all(type(part) is int for part in parts) and given.value != sum(parts):
            given.refuse(f"expected {' + '.join(f'`{name}`' for name in names)}")
        return {}

    return read


def _query(given: JsonValue, configuration: Configuration) -> Changes:
    """`q_lora_rank`; null is a projection of queries in one step."""
    if given.value is not None:
        return SizeKey(path="constants.q_rank").changes(given, configuration)
    return {
        "constants.q_rank": None,
        "reduced.constants.q_rank": None,
        f"{_ATTENTION}.latent.query": "none",
        **_layouts({"attention.(q_down q_norm q_up)": None, "attention.q": "self_attn.q_proj"}),
    }


def _kinds(given: JsonValue, configuration: Configuration) -> Changes:
    """`first_k_dense_replace`: so many layers without experts before those with them."""
    layers = layers_of(configuration)
    (dense,) = SizeKey(path="", least=0).changes(given, configuration).values()
    if dense >= layers:
        given.refuse(f"no layer of {layers} has experts: import it as a model without experts")
    few: dict[str, Any] = {f"{STATES}.pattern": None, "reduced.constants.layers": max(2, dense + 1)}
    if dense:
        return {**few, f"{STATES}.pattern": {"start": ["dense"] * dense, "repeat": ["sparse"]}}
    lines = _layouts({"feed_forward.(gate up down)": None})
    return {**few, f"{STATES}.pattern": ["sparse"], **dict.fromkeys(_OF_DENSE), **lines}


def _shared(given: JsonValue, configuration: Configuration) -> Changes:
    """`n_shared_experts`: one that every position takes, as wide as so many."""
    (count,) = SizeKey(path="").changes(given, configuration).values()
    return {f"{_EXPERTS}.shared.hidden": "expert_ff" if count == 1 else f"{count}*expert_ff"}


def _groups(given: JsonValue, configuration: Configuration) -> Changes:
    """`n_group` and `topk_group`: groups of experts, of which the best are chosen from."""
    best, experts = configuration["topk_group"], configuration["n_routed_experts"]
    (count,), (top,) = (SizeKey(path="").changes(one, configuration).values() for one in (given, best))
    if isinstance(experts.value, int) and experts.value % count:
        given.refuse(f"{experts.value} experts do not fall into {count} groups")
    few = min(count, 3)
    return {
        "constants": {"groups": count, "top_groups": top},
        # Two experts in each group, and one group that is not chosen from.
        "reduced.constants": {"experts": max(2 * few, 4), "groups": few, "top_groups": min(top, max(few - 1, 1))},
    }


def _heads(given: JsonValue, configuration: Configuration) -> Changes:
    """`num_key_value_heads`, as many as heads."""
    if given.value not in (None, configuration.value("num_attention_heads")):
        given.refuse("fewer heads of keys than of queries are not supported")
    return {}


def _further(given: JsonValue, configuration: Configuration) -> Changes:
    """Layers behind the last one, which predict further tokens, have no place."""
    (count,) = SizeKey(path="", least=0).changes(given, configuration).values() if given.value is not None else (0,)
    first = layers_of(configuration)
    behind = [f"layers.{first + at}" for at in range(count)]
    return {"weights.huggingface-4.skip": [*behind, _FREQUENCIES]}


def _quantisation(given: JsonValue, configuration: Configuration) -> Changes:
    """Weights in FP8, as they are published, are multiplied by their scales when they are read."""
    if given.value is not None and given.members.get("quant_method", given).value != "fp8":
        given.refuse("quantised weights of another kind than `fp8` are not supported")
    return {}


class DeepseekV3(ModelType):
    """DeepSeek-V3 and R1 without multi-token prediction."""

    word = "deepseek_v3"
    about = "DeepSeek-V3 and R1 without multi-token prediction (DeepSeek-AI 2024, arXiv 2412.19437)"
    base = "deepseek-v3"
    inputs = {"ids": "input_ids"}
    architectures = {
        "DeepseekV3ForCausalLM": Architecture(outputs={"logits": "logits"}),
        "DeepseekV3Model": without_head(huggingface=(), huggingface_4=["layers.61", _FREQUENCIES]),
    }
    keys = {
        **{name: key for name, key in LLAMA_LIKE.items() if name != "num_key_value_heads"},
        # Norms of latents have 1e-6 whatever this says, there and in the language.
        "rms_norm_eps": norm_eps(1e-6),
        "num_key_value_heads": reads(_heads, back=size("constants.heads").told),
        "moe_intermediate_size": size("constants.expert_ff"),
        **plain_base_rotary(),
        "rope_parameters": reads(_rotation, back=_told_rotation),
        "partial_rotary_factor": must(None, why="`qk_rope_head_dim` says how many features turn"),
        "rope_interleave": switch({True: {}, False: {f"{_POSITIONS}.layout": "half"}}),
        "qk_nope_head_dim": reads(_head, back=_told_still),
        "qk_rope_head_dim": part_of("qk_nope_head_dim", back=size(f"{_ATTENTION}.latent.rotary").told),
        "head_dim": reads(_sum_of("qk_rope_head_dim")),
        "qk_head_dim": reads(_sum_of("qk_nope_head_dim", "qk_rope_head_dim")),
        "v_head_dim": size("constants.value_dim"),
        "kv_lora_rank": size("constants.kv_rank"),
        "q_lora_rank": reads(_query, back=lambda told: told.number(f"{_ATTENTION}.latent.query")),
        "attention_bias": must(False, why="biases of latents are not supported"),
        "first_k_dense_replace": reads(_kinds, back=lambda told: told_kinds(told).count("dense")),
        **experts("n_routed_experts", "num_experts_per_tok", _EXPERTS),
        "n_shared_experts": reads(_shared, back=lambda told: told.ratio(f"{_EXPERTS}.shared.hidden", "expert_ff")),
        "n_group": reads(_groups, back=size(f"{_EXPERTS}.groups.count").told),
        "topk_group": part_of("n_group", back=size(f"{_EXPERTS}.groups.top").told),
        "norm_topk_prob": switch({value: {f"{_EXPERTS}.normalise": value} for value in (True, False)}),
        "routed_scaling_factor": number(f"{_EXPERTS}.scale"),
        "scoring_func": must("sigmoid", why=_ROUTING),
        "topk_method": must("noaux_tc", why=_ROUTING),
        "moe_layer_freq": must(1, why="layers without experts between layers with experts are not supported"),
        "num_mtp_layers": reads(_further),
        "output_router_logits": inert("selects what the original returns beside its outputs"),
        "aux_loss_alpha": BALANCING,
        "seq_aux": BALANCING,
        "ep_size": inert("says over how many devices experts were spread"),
        "pretraining_tp": inert("computes the same in slices"),
        "tie_word_embeddings": switch({False: {}, True: tied(*_LAYOUTS)}),
        "quantization_config": reads(_quantisation),
    }
    aliases = {"num_local_experts": "n_routed_experts", "num_nextn_predict_layers": "num_mtp_layers"}
    defaults = {
        "vocab_size": 129280,
        "hidden_size": 7168,
        "intermediate_size": 18432,
        "moe_intermediate_size": 2048,
        "num_hidden_layers": 61,
        "num_attention_heads": 128,
        "num_key_value_heads": 128,
        "head_dim": None,
        "qk_head_dim": None,
        "n_shared_experts": 1,
        "n_routed_experts": 256,
        "output_router_logits": False,
        "routed_scaling_factor": 2.5,
        "kv_lora_rank": 512,
        "q_lora_rank": 1536,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "qk_nope_head_dim": 128,
        "n_group": 8,
        "topk_group": 4,
        "num_experts_per_tok": 8,
        "first_k_dense_replace": 3,
        "norm_topk_prob": True,
        "scoring_func": "sigmoid",
        "topk_method": "noaux_tc",
        "moe_layer_freq": 1,
        "aux_loss_alpha": 0.001,
        "seq_aux": True,
        "ep_size": 1,
        "hidden_act": "silu",
        "max_position_embeddings": 4096,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "pad_token_id": None,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pretraining_tp": 1,
        "tie_word_embeddings": False,
        **ROTARY_DEFAULTS,
        "rope_interleave": True,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "num_mtp_layers": 1,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 32,
            "intermediate_size": 40,
            "moe_intermediate_size": 12,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "n_routed_experts": 6,
            "num_experts_per_tok": 3,
            "n_group": 3,
            "topk_group": 2,
            "kv_lora_rank": 12,
            "q_lora_rank": 14,
            "qk_rope_head_dim": 4,
            "qk_nope_head_dim": 6,
            "v_head_dim": 5,
            "first_k_dense_replace": 1,
            "max_position_embeddings": 24,
        },
        {"q_lora_rank": None, "first_k_dense_replace": 0, "n_shared_experts": 2, "norm_topk_prob": False},
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 10000.0,
                "factor": 40.0,
                "original_max_position_embeddings": 6,
                "mscale": 1.0,
                "mscale_all_dim": 1.0,
            },
            "tie_word_embeddings": True,
            "n_group": 1,
            "topk_group": 1,
        },
        {"rope_interleave": False, "routed_scaling_factor": 1.5, "hidden_act": "gelu"},
    )
