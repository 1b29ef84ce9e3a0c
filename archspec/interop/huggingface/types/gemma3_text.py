"""The model type `gemma3_text`."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import SpecError
from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import STATES, without_head
from archspec.interop.huggingface.gemma import GEMMA, NO_SOFTCAP
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, ConfigurationKey, Keys, SizeKey, must, part_of, reads
from archspec.interop.huggingface.layer_kinds import FULL, KIND_NAMES, SLIDING, alternating, layer_types
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotation, rotation_told
from archspec.interop.huggingface.told import Told

_USUAL_BASE = 10000


def _order(configuration: Configuration) -> list[str]:
    """A layer without a window after every `sliding_window_pattern` - 1 with one."""
    (period,) = SizeKey(path="").changes(configuration["sliding_window_pattern"], configuration).values()
    return list(alternating(period)(configuration))


def _rotations(configuration: Configuration) -> dict[str, dict[str, Any]]:
    """The rotary positions of both kinds of layers, as far as they are not the usual ones."""
    given, older = configuration["rope_parameters"], configuration["rope_scaling"]
    members = given.members
    if given.value is not None and not (isinstance(given.value, dict) and members.keys() <= {SLIDING, FULL}):
        given.refuse(f"expected an object with `{SLIDING}` and `{FULL}`")
    if older.value is not None and not isinstance(older.value, dict):
        older.refuse("expected an object or null")
    wide, near = members.get(FULL), members.get(SLIDING)
    if older.value:
        if wide is not None and wide.value:
            older.refuse("`rope_parameters` says how positions turn", "keep one of the two")
        wide = older
    local = {**configuration.values, "rope_theta": configuration["rope_local_base_freq"]}
    return {
        "global": _positions(wide or given, configuration),
        "local": _positions(near or given, Configuration(values=local)),
    }


def _positions(parameters: JsonValue, configuration: Configuration) -> dict[str, Any]:
    """The fields of attention that say how positions turn."""
    if parameters.value is None or parameters.name == "rope_parameters":
        parameters = JsonValue(name=parameters.name, value={}, key=parameters.key, span=parameters.span)
    fields = rotation(parameters, configuration, "own", "own.base")
    own = {path.removeprefix("own."): value for path, value in fields.items() if value is not None}
    if own["base"] == _USUAL_BASE:
        del own["base"]
    return {"positions": own} if own else {}


def _checked(given: JsonValue, configuration: Configuration) -> Changes:
    """`rope_parameters`, which the kinds of layers take up."""
    _rotations(configuration)
    return {}


def _fields(configuration: Configuration) -> dict[str, dict[str, Any]]:
    """The rotary positions of both kinds of layers; errors are those of `rope_parameters`."""
    try:
        return _rotations(configuration)
    except SpecError:
        return {}


def _told_rotations(told: Told) -> dict[str, Any]:
    """The rotary positions of both kinds of layers of a document; those of a kind without layers are any."""
    own = {word: f"{STATES}.kinds.{name}.attention.positions" for word, name in KIND_NAMES.items()}
    return {word: rotation_told(path, f"{STATES}.attention.positions")(told) for word, path in own.items()}


def _no_softcap(given: JsonValue, configuration: Configuration) -> Changes:
    """`attn_logit_softcapping`, which the original of version 5 reads and does not apply."""
    if given.value is not None:
        given.refuse("the original does not apply it", "supported: null")
    return {f"{STATES}.attention.softcap": None}


def _layers(output: str) -> Keys:
    """The keys of layers and their rotations; `output` is what the rules speak of."""
    read = layer_types(_order, output, own=_fields)
    names = ("rope_scaling", "rope_theta", "rope_local_base_freq")
    parts: dict[str, ConfigurationKey] = {name: part_of("rope_parameters") for name in names}
    rotations = reads(_checked, back=_told_rotations)
    return {**read, "sliding_window_pattern": part_of("layer_types"), "rope_parameters": rotations, **parts}


_BODY = without_head(keys={**_layers("states"), **NO_SOFTCAP})


class Gemma3Text(ModelType):
    """The text models of Gemma 3, five local layers to a global one, each kind with a rotation of its own."""

    word = "gemma3_text"
    about = "Gemma 3, text alone (Gemma team 2025, arXiv 2503.19786)"
    base = "gemma-3-270m"
    inputs = {"ids": "input_ids"}
    architectures = {
        "Gemma3ForCausalLM": Architecture(outputs={"logits": "logits"}),
        "Gemma3TextModel": _BODY,
        "Gemma3TextForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        **GEMMA,
        **_layers("logits"),
        "attn_logit_softcapping": reads(_no_softcap),
        "partial_rotary_factor": must(None, why="the rotation of part of a head is not supported"),
    }
    aliases = {"_sliding_window_pattern": "sliding_window_pattern"}
    defaults = {
        "vocab_size": 262208,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_act": None,
        "max_position_embeddings": 131072,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
        "tie_word_embeddings": True,
        **ROTARY_DEFAULTS,
        "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "query_pre_attn_scalar": 256,
        "sliding_window": 4096,
        "sliding_window_pattern": 6,
        "layer_types": None,
        "final_logit_softcapping": None,
        "attn_logit_softcapping": None,
        "use_bidirectional_attention": False,
        "cache_implementation": None,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 12,
            "query_pre_attn_scalar": 12,
            "sliding_window": 5,
            "max_position_embeddings": 24,
        },
        {"layer_types": [FULL, SLIDING, SLIDING, FULL, SLIDING, SLIDING]},
        {
            "rope_parameters": {
                SLIDING: {"rope_type": "default", "rope_theta": 500.0},
                FULL: {"rope_type": "linear", "factor": 8.0, "rope_theta": 3000.0},
            },
            "query_pre_attn_scalar": 20,
        },
        {"sliding_window": 30, "num_hidden_layers": 2, "final_logit_softcapping": 0.5, "attention_bias": True},
    )
