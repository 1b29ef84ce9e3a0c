"""Keys that versions of Gemma share."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import (
    ATTENTION_BIAS,
    LLAMA_LIKE,
    QUERY_SCALE,
    STATES,
    norm_eps,
    untied,
)
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    Configuration,
    ConfigurationKey,
    DecimalKey,
    Keys,
    activation,
    inert,
    must,
    reads,
    size,
    switch,
)


def softcap(path: str) -> ConfigurationKey:
    """A limit of scores or logits at a path; null is none."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        if given.value is None:
            return {path: None}
        if given.value == 0:
            given.refuse("expected a positive number or null")
        return DecimalKey(path=path).changes(given, configuration)

    return reads(read, back=lambda told: DecimalKey(path=path).told(told) if told.has(path) else None)


GEMMA: Keys = {
    **LLAMA_LIKE,
    "rms_norm_eps": norm_eps(1e-6),
    "hidden_activation": activation(f"{STATES}.feed_forward.activation"),
    "hidden_act": inert("`hidden_activation` is the activation"),
    "head_dim": size("constants.head_dim"),
    "query_pre_attn_scalar": QUERY_SCALE,
    "attn_logit_softcapping": softcap(f"{STATES}.attention.softcap"),
    "final_logit_softcapping": softcap("graph.logits.softcap"),
    "attention_bias": ATTENTION_BIAS,
    "use_bidirectional_attention": must(None, False, why="attention to later positions is not supported"),
    "cache_implementation": inert("a setting of generation, which `archspec generate` takes itself"),
    "tie_word_embeddings": switch({True: {}, False: untied()}),
    "bos_token_id": size("decode.start", none="none", least=0),
}
"""The keys of Gemma 2 and 3 but for their layers and rotations."""

NO_SOFTCAP = {"final_logit_softcapping": inert("this architecture has no logits")}
