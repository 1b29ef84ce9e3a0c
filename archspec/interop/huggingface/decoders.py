"""Keys and changes that many decoders share: sizes by Llama's names, heads, tied tables, windows, no head at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    ConfigurationKey,
    DecimalKey,
    Keys,
    SizeKey,
    activation,
    dropout,
    end_ids,
    inert,
    number,
    reads,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture
from archspec.interop.huggingface.rotary import rotary
from archspec.interop.huggingface.told import UNTOLD, Told

STATES = "graph.states"
OWN_HEADS = inert("concerns heads of other classes")
BALANCING = inert("balances experts in training alone")

LLAMA_LIKE: Keys = {
    "vocab_size": size("constants.vocab"),
    "hidden_size": size("constants.d_model"),
    "intermediate_size": size("constants.d_ff"),
    "num_hidden_layers": size("constants.layers"),
    "num_attention_heads": size("constants.heads"),
    "num_key_value_heads": size("constants.kv_heads", none="heads"),
    "hidden_act": activation(f"{STATES}.feed_forward.activation"),
    "max_position_embeddings": size("constants.context"),
    "rms_norm_eps": number("defaults.norm.eps"),
    "attention_dropout": dropout(f"{STATES}.attention.dropout"),
    "eos_token_id": end_ids(),
    "initializer_range": FRESH,
}
"""Keys of decoders that have Llama's names for them."""

ATTENTION_BIAS = switch({False: {}, True: {f"{STATES}.attention.bias": True, "weights.gguf": None}})
"""`attention_bias` for a base whose projections have none."""


def norm_eps(usual: float = 1e-5) -> ConfigurationKey:
    """The eps of norms, which is written where it is not the usual one of their kind."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        changes = DecimalKey(path="defaults.norm.eps").changes(given, configuration)
        return {} if given.value == usual else changes

    def back(told: Told) -> Any:
        found = told.number("defaults.norm.eps")
        return usual if found is None else found

    return reads(read, back=back)


def plain_base_rotary(
    more: Callable[[Changes, Configuration], Changes] = lambda changes, _: changes, *, in_part: bool = False
) -> Keys:
    """The keys of rotary positions of a base without a constant for their base, which is 10000 unless it is written.

    `more` changes what is read; `in_part` says that the original reads how much of a head turns.
    """
    where = f"{STATES}.attention.positions"
    base = f"{where}.base"
    keys = rotary(where, base=base, in_part=in_part)

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        changes = more(keys["rope_parameters"].changes(given, configuration), configuration)
        return {**changes, base: None} if changes[base] == 10000 else changes

    return {**keys, "rope_parameters": reads(read, back=keys["rope_parameters"].told)}


def named_yarn(changes: Changes, configuration: Configuration) -> Changes:
    """A rotation whose trained length, where it is stretched by YaRN, is a constant of the spec."""
    path = f"{STATES}.attention.positions.scaling"
    scaling = changes[path]
    if scaling is None or scaling["kind"] != "yarn":
        return {**changes, "constants.trained": None, "reduced.constants.trained": None}
    context, trained = configuration.value("max_position_embeddings"), scaling["original"]
    factor = "context/trained" if context == trained * scaling["factor"] else scaling["factor"]
    return {**changes, path: {**scaling, "original": "trained", "factor": factor}, "constants.trained": trained}


def untied(*layouts: str, head: str = "lm_head.weight", gguf: bool = False) -> Changes:
    """A matrix for the logits that is not the table of tokens, in the layouts of Hugging Face.

    `gguf` says that the base has a layout for GGUF, too.
    """
    layouts = layouts or ("huggingface",)
    theirs = {"tied": None, "map": {"logits.weight": "output.weight"}} if gguf else None
    own: dict[str, Any] = {"graph.logits": {"tie": None, "vocab": "vocab"}, "weights.gguf": theirs}
    return own | {f"weights.{name}": {"tied": None, "map": {"logits.weight": head}} for name in layouts}


def tied(
    *layouts: str, table: str = "embed_tokens.weight", head: str = "lm_head.weight", gguf: bool = False
) -> Changes:
    """The table of tokens as the matrix for the logits, in the layouts of Hugging Face.

    `gguf` says that the base has a layout for GGUF, too.
    """
    layouts = layouts or ("huggingface",)
    names = {"output.weight": "token_embd.weight"}
    theirs = {"tied": names, "map": {"logits.weight": None}} if gguf else None
    own: dict[str, Any] = {"graph.logits": {"vocab": None, "tie": "source.table"}, "weights.gguf": theirs}
    return own | {f"weights.{name}": {"tied": {head: table}, "map": {"logits.weight": None}} for name in layouts}


def without_head(rules: str = "", keys: Keys | None = None, **skips: Sequence[str]) -> Architecture:
    """A decoder without its head, whose output are the states behind the last norm.

    Args:
        rules: those of the states; left out, that they depend on all positions up to theirs.
        keys: of this architecture, beside those of a head, which have no effect.
        skips: by layout, with `_` for `-`, what files hold beside the head that has no place.
    """
    given = skips or {"huggingface": ()}
    layouts = {name.replace("_", "-"): ["lm_head", "score", *more] for name, more in given.items()}
    no_logits = inert("this architecture has no logits")
    return Architecture(
        changes={
            "graph.logits": None,
            "outputs": {"logits": None, "states": "float[batch, length, d_model]"},
            "rules": rules or causal_rules("states"),
            "decode": None,
            "weights.gguf": None,
            **{f"weights.{name}": {"tied": None, "skip": skip} for name, skip in layouts.items()},
            **{f"weights.{name}.map": {"logits.weight": None} for name in layouts},
        },
        keys={"tie_word_embeddings": no_logits, "eos_token_id": no_logits, "bos_token_id": no_logits, **(keys or {})},
        outputs={"states": "last_hidden_state"},
    )


def causal_rules(output: str) -> str:
    """Rules of an output that depends on all positions up to its own."""
    return f"[{{causal: {{output: {output}, input: ids}}}}, {{covers: {{output: {output}, input: ids, mask: causal}}}}]"


def _query_scale(given: JsonValue, configuration: Configuration) -> Changes:
    """`query_pre_attn_scalar`, where it is not the features of a head."""
    if given.value == configuration.value("head_dim"):
        return {}
    found = SizeKey(path="").changes(given, configuration)[""]
    return {f"{STATES}.attention.scale": f"1/sqrt({found})"}


def _told_scale(told: Told) -> Any:
    """`query_pre_attn_scalar` as a document tells it."""
    scale = told.word(f"{STATES}.attention.scale")
    if scale is None:
        return told.number("constants.head_dim")
    found = re.fullmatch(r"1/sqrt\((\d+)\)", scale)
    return UNTOLD if found is None else int(found[1])


QUERY_SCALE = reads(_query_scale, back=_told_scale)
"""The key `query_pre_attn_scalar`: the scale of scores, as the features of a head that would have it."""
