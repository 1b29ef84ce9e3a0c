"""The model type `phi3`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import LLAMA_LIKE, STATES, tied, without_head
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, dropout, inert, must, reads, switch
from archspec.interop.huggingface.layer_kinds import windows
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, head_dim, rotary
from archspec.interop.huggingface.told import Told

_POSITIONS = f"{STATES}.attention.positions"
_ROTARY = rotary(_POSITIONS, in_part=True)


def _rotation(given: JsonValue, configuration: Configuration) -> Changes:
    """Rotary positions; the heads of the small copy have as many features as their size and its factors need."""
    changes = dict(_ROTARY["rope_parameters"].changes(given, configuration))
    size, scaling = changes[f"{_POSITIONS}.size"], changes[f"{_POSITIONS}.scaling"]
    if scaling is not None and scaling["kind"] == "longrope":
        # There is a factor for each frequency, so that heads cannot be smaller.
        return {**changes, "reduced.constants": {"heads": 2, "d_model": 2 * head_dim(configuration)}}
    if size is None:
        return changes
    small = {"constants.rotary_dim": size, "reduced.constants.rotary_dim": 4}
    return {**changes, **small, f"{_POSITIONS}.size": "rotary_dim"}


def _trained(given: JsonValue, configuration: Configuration) -> Changes:
    """The length that was trained, which the rotation reads where it is stretched; nothing else does."""
    said = configuration.value("rope_parameters") or configuration.value("rope_scaling") or {}
    is_stretched = isinstance(said, dict) and (said.get("rope_type") or said.get("type") or "default") != "default"
    is_said = given.key is not None and given.value != configuration.value("max_position_embeddings")
    if is_said and not is_stretched:
        given.refuse("positions are not stretched, though this is not the largest length")
    return {}


def _told_trained(told: Told) -> int | float | None:
    """The length that was trained: the largest one where positions are not stretched."""
    return told.number(f"{_POSITIONS}.scaling.original") or told.number("constants.context")


_BODY = without_head(keys=windows("states"))


class Phi3(ModelType):
    """Phi-3, 3.5 and 4 mini, projections fused in the files."""

    word = "phi3"
    about = "Phi-3, 3.5 and 4 mini (Abdin et al. 2024, arXiv 2404.14219)"
    base = "phi-3-mini"
    inputs = {"ids": "input_ids"}
    architectures = {
        "Phi3ForCausalLM": Architecture(outputs={"logits": "logits"}),
        "Phi3Model": _BODY,
        "Phi3ForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        **LLAMA_LIKE,
        **_ROTARY,
        "rope_parameters": reads(_rotation, back=_ROTARY["rope_parameters"].told),
        "original_max_position_embeddings": reads(_trained, back=_told_trained),
        **windows(),
        "resid_pdrop": dropout(f"{STATES}.dropout"),
        "embd_pdrop": inert("the original applies no dropout to tokens"),
        "attention_bias": must(False, why="the fused projections have no bias"),
        "mlp_bias": must(False, why="the fused projections have no bias"),
        "lm_head_bias": must(False, why="the logits have no bias"),
        # In files of Phi-4 mini; transformers reads neither.
        "full_attn_mod": must(1, why="what another value means is not known"),
        "interpolate_factor": must(1, why="what another value means is not known"),
        "tie_word_embeddings": switch({False: {}, True: tied(gguf=True)}),
    }
    defaults = {
        "vocab_size": 32064,
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": None,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attention_dropout": 0.0,
        "attention_bias": False,
        "mlp_bias": False,
        "lm_head_bias": False,
        "full_attn_mod": 1,
        "interpolate_factor": 1,
        "hidden_act": "silu",
        "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        **ROTARY_DEFAULTS,
        "bos_token_id": 1,
        "eos_token_id": 32000,
        "pad_token_id": 32000,
        "sliding_window": None,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 24,
            "original_max_position_embeddings": 24,
            "bos_token_id": 0,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        {"sliding_window": 5, "tie_word_embeddings": True, "rms_norm_eps": 1e-3, "hidden_act": "gelu"},
        {
            "original_max_position_embeddings": 12,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 500.0,
                "partial_rotary_factor": 0.75,
                "short_factor": [1.0, 1.1, 1.25, 1.5, 2.0, 3.0],
                "long_factor": [1.5, 2.0, 3.0, 4.0, 6.0, 8.0],
            },
        },
    )
