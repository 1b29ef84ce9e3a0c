"""Changes and readings that decoders share: a head of its own, no head at all, heads of their own size."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, SizeKey, inert, reads
from archspec.interop.huggingface.model_type import Architecture

UNTIED: Changes = {
    "graph.logits": {"tie": None, "vocab": "vocab"},
    "weights.huggingface": {"tied": None, "map": {"logits.weight": "lm_head.weight"}},
    "weights.gguf": {"tied": None, "map": {"logits.weight": "output.weight"}},
}
"""A matrix for the logits that is not the table of tokens."""

PERMUTED_BIASES: Changes = {
    "weights.gguf.map": {
        "states.layers.*": {
            "map": {
                f"attention.{one}.bias": {
                    "from": f"attn_{one}.bias",
                    "rearrange": "(h r p) -> (h p r)",
                    "sizes": {"h": heads, "p": 2},
                }
                for one, heads in (("q", "heads"), ("k", "kv_heads"))
            }
        }
    }
}
"""The biases of queries and keys in GGUF, which stand pair by pair as the rows of their matrices do."""

HEADLESS = Architecture(
    changes={
        "graph.logits": None,
        "outputs": {"logits": None, "states": "float[batch, length, d_model]"},
        "rules": "[{causal: {output: states, input: ids}}, {covers: {output: states, input: ids, mask: causal}}]",
        "decode": None,
        "weights.huggingface": {"tied": None, "skip": ["lm_head"]},
        "weights.gguf": None,
    },
    keys={
        "tie_word_embeddings": inert("this architecture has no logits"),
        "eos_token_id": inert("this architecture has no logits"),
    },
    outputs={"states": "last_hidden_state"},
)
"""A decoder without its head, whose output are the states behind the last norm."""


def head_features(given: JsonValue, configuration: Configuration) -> Changes:
    """`head_dim`, where it is not the features divided by the heads."""
    features, heads = configuration.value("hidden_size"), configuration.value("num_attention_heads")
    if given.value is None or (type(given.value) is type(heads) is int and features == given.value * heads):
        return {}
    size = SizeKey(path="constants.head_dim").changes(given, configuration)
    return {**size, "graph.states.attention.head_dim": "head_dim", "reduced.constants.head_dim": 6}


HEAD_FEATURES = reads(head_features, back=lambda told: told.number("graph.states.attention.head_dim"))
"""The key `head_dim`; a document tells it where it is not the features divided by the heads."""
