"""Attention of decoders in configurations and GGUF files: heads of their own size, biases pair by pair."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, SizeKey, reads, size

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


def head_features(given: JsonValue, configuration: Configuration) -> Changes:
    """`head_dim`, where it is not the features divided by the heads."""
    features, heads = configuration.value("hidden_size"), configuration.value("num_attention_heads")
    if given.value is None or (type(given.value) is type(heads) is int and features == given.value * heads):
        return {}
    own = SizeKey(path="constants.head_dim").changes(given, configuration)
    return {**own, "graph.states.attention.head_dim": "head_dim", "reduced.constants.head_dim": 6}


HEAD_FEATURES = reads(head_features, back=size("graph.states.attention.head_dim").told)
"""The key `head_dim`; a document tells it where it is not the features divided by the heads."""
