"""The model type `modernbert`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.heads import DROPPED, FIRST, answering, classified, product, rates
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    UNREAD,
    Configuration,
    DecimalKey,
    Keys,
    SizeKey,
    activation,
    dropout,
    inert,
    must,
    part_of,
    reads,
    size,
    switch,
)
from archspec.interop.huggingface.layer_kinds import (
    FULL,
    SLIDING,
    kinds_of_layers,
    layers_of,
    listed,
    told_kinds,
    told_types,
)
from archspec.interop.huggingface.masked import HEAD_ACTIVATION, masked_tokens
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import rotation_told
from archspec.interop.huggingface.told import UNTOLD, Told

_STATES = "graph.states"
_CODE = inert("selects code of the original that computes the same")
_HEAD = inert("this architecture has no head")
_LINES = "weights.huggingface.map"

_ONE_TEXT: Changes = {
    "inputs": {"text": None, "valid": '{type: "bool[batch, length]", default: true, padding: right}'},
    f"{_STATES}.attention.mask": "key_valid(valid)",
    "rules": "[{ignores: {output: states, input: ids, where: not valid}}, {sees: {output: states, input: ids}}]",
}
"""A row holds one text and padding, as the original takes it, and not several texts."""

_NORM: Changes = {"block": "norm"}
_MEAN: Changes = {"graph.logits.0.kind": "mean", "graph.logits.0.valid": "valid"}
_NAMES = {0: "head.dense", 1: "head.norm", 3: "classifier"}
_ON_TOKENS = [{**product("gelu"), "input": "states"}, _NORM, DROPPED]
_MASKED = masked_tokens(
    names=("head.dense", "head.norm", "decoder.bias"),
    tied={"decoder.weight": "embeddings.tok_embeddings.weight"},
    skip=["classifier"],
    pooled=None,
    keys={
        "classifier_bias": switch({False: {}, True: {"graph.logits.0.bias": True}}),
        "classifier_activation": activation(HEAD_ACTIVATION),
        "decoder_bias": switch({True: {}, False: {"graph.logits.2.bias": None, _LINES: {"logits.2.bias": None}}}),
    },
)


def _head_keys(product: int, node: str = "logits") -> Keys:
    """The keys of a head: its product stands at this place in the chain of a node, behind it a norm and dropout."""
    where = f"graph.{node}.{product}"
    return {
        "classifier_bias": switch({False: {}, True: {f"{where}.bias": True}}),
        "classifier_activation": activation(f"{where}.activation"),
        "classifier_dropout": rates(product + 2, node=node),
    }


def _of_one_text(architecture: Architecture) -> Architecture:
    return replace(architecture, changes={**_ONE_TEXT, **architecture.changes})


def _types(given: JsonValue, configuration: Configuration) -> list[str]:
    """Whether each layer has a window: listed, or all but every n-th."""
    if given.value is not None:
        return listed(given, configuration)
    (every,) = SizeKey(path="").changes(configuration["global_attn_every_n_layers"], configuration).values()
    return [SLIDING if at % every else FULL for at in range(layers_of(configuration))]


def _layers(given: JsonValue, configuration: Configuration) -> Changes:
    """The kinds of layers, of which the first has no norm in front, and their rotary positions."""
    types = _types(given, configuration)
    near = {"mask": "key_valid(valid) & within(reach)", "positions": {"base": _base(SLIDING, configuration)}}
    kinds: dict[str, Changes] = {
        "first": {"attention": {"pre_norm": False, **(near if types[0] == SLIDING else {})}},
        "local": {"attention": near},
        "global": {},
    }
    order = ["first", *("local" if one == SLIDING else "global" for one in types[1:])]
    return {
        f"{_STATES}.attention.positions.base": _base(FULL, configuration),
        **({} if SLIDING in types else {"constants.reach": None, "reduced.constants.reach": None}),
        **kinds_of_layers(kinds, order),
    }


def _base(kind: str, configuration: Configuration) -> Any:
    """The base of the rotary positions of one kind of layers, by its name of today or by the older one."""
    older = configuration["global_rope_theta" if kind == FULL else "local_rope_theta"]
    every = configuration["rope_parameters"]
    if every.value is not None and not (isinstance(every.value, dict) and every.members.keys() <= {SLIDING, FULL}):
        every.refuse(f"expected an object with `{SLIDING}` and `{FULL}`")
    own = every.members.get(kind)
    if own is None or own.value is None:
        return _positive(older)
    for name, one in own.members.items():
        if name not in ("rope_type", "type", "rope_theta"):
            one.refuse("only plain rotary positions are supported")
        if name != "rope_theta" and one.value != "default":
            one.refuse("only plain rotary positions are supported", "supported: `default`")
    return _positive(own.members.get("rope_theta", older))


def _positive(given: JsonValue) -> Any:
    if type(given.value) not in (int, float) or given.value <= 0:
        given.refuse("expected a positive number")
    return given.value


def _reach(given: JsonValue, configuration: Configuration) -> Changes:
    """How far a layer with a window sees to either side: half of the window."""
    if SLIDING not in _types(configuration["layer_types"], configuration):
        return {}
    (window,) = SizeKey(path="", least=2).changes(given, configuration).values()
    if window % 2:
        given.refuse("expected an even number, of which one half is to either side")
    return {"constants.reach": window // 2}


def _told_reach(told: Told) -> Any:
    """The window of a document."""
    reach = told.number("constants.reach")
    return UNTOLD if reach is None else 2 * reach


def _told_rotations(told: Told) -> Any:
    """The rotary positions of both kinds of layers of a document, of those that it has."""
    types, names = told_types(told), told_kinds(told)
    found: dict[str, Any] = {}
    for word, name in zip(types, names, strict=True) if types is not UNTOLD else []:
        own = rotation_told(f"{_STATES}.kinds.{name}.attention.positions", f"{_STATES}.attention.positions")(told)
        found.setdefault(word, own)
    return {word: one for word, one in found.items() if one is not UNTOLD}


class ModernBert(ModelType):
    """ModernBERT, one text in a row."""

    word = "modernbert"
    about = "ModernBERT (Warner et al. 2024, arXiv 2412.13663)"
    base = "modernbert-base"
    inputs = {"ids": "input_ids", "valid": "attention_mask"}
    # Far behind the last valid position a row of a window has no key: the original attends to all of them there.
    padding = {"ids": "valid"}
    architectures = {
        "ModernBertModel": Architecture(changes=_ONE_TEXT, outputs={"states": "last_hidden_state"}),
        "ModernBertForMaskedLM": _of_one_text(_MASKED),
        "ModernBertForSequenceClassification": _of_one_text(
            classified(
                [FIRST, product("gelu"), _NORM, DROPPED],
                {1: "head.dense", 2: "head.norm", 4: "classifier"},
                skip=["decoder"],
                bias=True,
                keys={**_head_keys(1), "classifier_pooling": switch({"cls": {}, "mean": _MEAN})},
            )
        ),
        "ModernBertForTokenClassification": _of_one_text(
            classified(_ON_TOKENS, _NAMES, skip=["decoder"], bias=True, keys=_head_keys(0))
        ),
        "ModernBertForQuestionAnswering": _of_one_text(
            answering(_ON_TOKENS, _NAMES, skip=["decoder"], bias=True, keys=_head_keys(0, "scores"))
        ),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_model"),
        "intermediate_size": size("constants.d_ff"),
        "num_hidden_layers": size("constants.layers"),
        "num_attention_heads": size("constants.heads"),
        "hidden_activation": activation(f"{_STATES}.feed_forward.activation"),
        "max_position_embeddings": size("constants.context"),
        "norm_eps": DecimalKey(path="defaults.norm.eps", absent=1e-5),
        "norm_bias": switch({False: {}, True: {"defaults.norm.bias": True}}),
        "attention_bias": switch(
            {
                False: {},
                True: {
                    f"{_STATES}.attention.bias": True,
                    _LINES: {
                        "states.layers.*": {"map": {"attention.(q k v).bias": {"from": "attn.Wqkv.bias", "split": 0}}}
                    },
                },
            }
        ),
        "mlp_bias": switch(
            {
                False: {},
                True: {
                    f"{_STATES}.feed_forward.bias": True,
                    _LINES: {
                        "states.layers.*": {"map": {"feed_forward.(gate up).bias": {"from": "mlp.Wi.bias", "split": 0}}}
                    },
                },
            }
        ),
        "layer_types": reads(_layers, back=told_types),
        "global_attn_every_n_layers": part_of("layer_types"),
        "rope_parameters": part_of("layer_types", back=_told_rotations),
        "global_rope_theta": part_of("rope_parameters"),
        "local_rope_theta": part_of("rope_parameters"),
        "local_attention": reads(_reach, back=_told_reach),
        "embedding_dropout": dropout("graph.source.dropout"),
        "mlp_dropout": dropout(f"{_STATES}.feed_forward.dropout"),
        "attention_dropout": must(0.0, why="dropout of attention and of what it gives is not supported"),
        "position_embedding_type": must("absolute", why="this key has no other value in the original"),
        "initializer_range": FRESH,
        "initializer_cutoff_factor": FRESH,
        "decoder_bias": _HEAD,
        "classifier_pooling": _HEAD,
        "classifier_dropout": _HEAD,
        "classifier_bias": _HEAD,
        "classifier_activation": _HEAD,
        "sparse_prediction": _HEAD,
        "sparse_pred_ignore_index": _HEAD,
        "deterministic_flash_attn": _CODE,
        "reference_compile": _CODE,
        "repad_logits_with_grad": _CODE,
        "cls_token_id": inert("the tokenizer says which token this is"),
        "layer_norm_eps": inert(UNREAD),
    }
    defaults = {
        "vocab_size": 50368,
        "hidden_size": 768,
        "intermediate_size": 1152,
        "num_hidden_layers": 22,
        "num_attention_heads": 12,
        "hidden_activation": "gelu",
        "max_position_embeddings": 8192,
        "norm_eps": 1e-5,
        "norm_bias": False,
        "attention_bias": False,
        "mlp_bias": False,
        "layer_types": None,
        "global_attn_every_n_layers": 3,
        "rope_parameters": None,
        "global_rope_theta": 160000.0,
        "local_rope_theta": 10000.0,
        "local_attention": 128,
        "embedding_dropout": 0.0,
        "mlp_dropout": 0.0,
        "attention_dropout": 0.0,
        "position_embedding_type": "absolute",
        "initializer_range": 0.02,
        "initializer_cutoff_factor": 2.0,
        "decoder_bias": True,
        "classifier_pooling": "cls",
        "classifier_dropout": 0.0,
        "classifier_bias": False,
        "classifier_activation": "gelu",
        "sparse_prediction": False,
        "sparse_pred_ignore_index": -100,
        "deterministic_flash_attn": False,
        "reference_compile": None,
        "repad_logits_with_grad": None,
        "cls_token_id": None,
        "layer_norm_eps": 1e-5,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "max_position_embeddings": 24,
            "local_attention": 8,
            "pad_token_id": 3,
        },
        {
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "sliding_attention"],
            "attention_bias": True,
            "mlp_bias": True,
            "norm_bias": True,
            "hidden_activation": "relu",
            "norm_eps": 1e-3,
            "classifier_pooling": "mean",
            "classifier_bias": True,
            "classifier_activation": "relu",
            "decoder_bias": False,
        },
        {"layer_types": ["full_attention"] * 4},
    )
