"""Scaled dot-product attention, which TensorRT represents as a pair of layers around one object."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes

_PADDED = "PADDED_BHND"


@computes("ATTENTION_INPUT")
def attention(
    at: Attributes, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *more: Tensor | None
) -> Tensor:
    """Compute softmax(query @ key') @ value; the query is scaled by an earlier layer.

    Shapes are query [b h s d], key [b g t d], value [b g t v]; h is a multiple of g. A bool mask says which keys are
    visible, any other mask is added to the scores. Raises UnsupportedError for packed sequences, lengths and quantized
    scores.
    """
    if any(one is not None for one in more):
        raise UnsupportedError("it has lengths or scales of quantized scores")
    if any(at.get(name, _PADDED) != _PADDED for name in ("query_form", "key_value_form")):
        raise UnsupportedError("its sequences are packed")
    # In grouped-query attention several query heads share a key head.
    repeats = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(repeats, 1) if repeats > 1 else one for one in (key, value))
    scores = query @ key.mT
    kind = at.get("causal_kind", "NONE")
    if kind not in ("NONE", "UPPER_LEFT", "LOWER_RIGHT"):
        raise UnsupportedError(f"its causal_kind `{kind}` is not supported")
    if kind != "NONE":
        rows, columns = scores.shape[-2:]
        # UPPER_LEFT aligns the first positions of queries and keys, LOWER_RIGHT the last ones.
        last = columns - rows if kind == "LOWER_RIGHT" else 0
        scores = scores.masked_fill(~torch.ones(rows, columns, dtype=torch.bool).tril(last), -torch.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    if at["norm_op"] == "SOFTMAX":
        scores = scores.softmax(-1)
    return scores @ value


@computes("ATTENTION_OUTPUT", moves=True)
def attention_output(at: Attributes, x: Tensor) -> Tensor:
    """Return the result of the layer it is paired with."""
    return x
