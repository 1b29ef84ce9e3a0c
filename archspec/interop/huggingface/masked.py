"""The head that predicts masked tokens, which encoders share: a product, an activation, a norm, a score a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.keys import Keys, activation, everywhere, must
from archspec.interop.huggingface.model_type import Architecture

HEAD_ACTIVATION = "graph.logits.0.activation"
HEADED_ACTIVATION = everywhere(activation, ["graph.states.feed_forward.activation", HEAD_ACTIVATION])
"""The activation of the layers, which the head has, too."""
_LAYOUT = "weights.huggingface"


def masked_tokens(
    *,
    names: Sequence[str],
    tied: Mapping[str, str],
    skip: Sequence[str],
    pooled: str | None,
    keys: Keys,
    dim: str = "d_model",
    table: str = "source.table",
) -> Architecture:
    """An encoder with scores for the token at every position.

    Args:
        names: the original's names of the product, the norm, and the bias of the scores.
        tied: the original's names that hold tensors of others.
        skip: what files of larger models hold beside.
        pooled: the module of the base's pooler in its layout, which the class lacks; None where the base has none.
        keys: keys of this class.
        dim: the features of a row of the table of tokens, an expression.
        table: the table of tokens, whose rows score.

    Returns:
        the class of the original.
    """
    product, norm, bias = names
    gone: Changes = {} if pooled is None else {"pooled": None}
    without_pooler: Changes = {} if pooled is None else {pooled: None}
    changes: Changes = {
        "graph": {
            **gone,
            "logits": [
                {"block": "linear", "input": "states", "dim": dim, "activation": "gelu"},
                {"block": "norm"},
                {"block": "lm_head", "tie": table, "bias": True},
            ],
        },
        "outputs": {"states": None, **gone, "logits": "float[batch, length, vocab]"},
        "rules": [
            "{ignores: {output: logits, input: ids, where: not valid}}",
            "{sees: {output: logits, input: ids}}",
        ],
        _LAYOUT: {
            "skip": list(skip),
            "tied": dict(tied),
            "map": {**without_pooler, "logits.0": product, "logits.1": norm, "logits.2.bias": bias},
        },
    }
    untied = must(True, why="scores from a table of their own are not supported")
    return Architecture(changes=changes, keys={"tie_word_embeddings": untied, **keys}, outputs={"logits": "logits"})
