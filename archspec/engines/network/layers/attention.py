"""Scaled dot-product attention, which TensorRT represents as a pair of layers around one object."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes

_PADDED = "PADDED_BHND"


@computes("ATTENTION_INPUT")
def attention(
    at: Attributes,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    quantized: Tensor | None = None,
    query_lengths: Tensor | None = None,
    key_lengths: Tensor | None = None,
) -> Tensor:
    """Compute softmax(query @ key') @ value; the query is scaled by an earlier layer.

    Shapes are query [b h s d], key [b g t d], value [b g t v]; h is a multiple of g. A bool mask says which keys are
    visible, any other mask is added to the scores. With `key_lengths` [b], a row has only the first of its keys. Raises
    UnsupportedError for packed sequences, for quantized scores, and for a mask beside causality, of which TensorRT
    ignores one.
    """
    if quantized is not None or query_lengths is not None:
        raise UnsupportedError("it has lengths of queries or scales of quantized scores")
    if any(at.get(name, _PADDED) != _PADDED for name in ("query_form", "key_value_form")):
        raise UnsupportedError("its sequences are packed")
    # In grouped-query attention several query heads share a key head.
    repeats = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(repeats, 1) if repeats > 1 else one for one in (key, value))
    scores = query @ key.mT
    kind = at.get("causal_kind", "NONE")
    if kind not in ("NONE", "UPPER_LEFT", "LOWER_RIGHT"):
        raise UnsupportedError(f"its causal_kind `{kind}` is not supported")
    if kind != "NONE" and mask is not None:
        raise UnsupportedError("it has a mask beside causality, and TensorRT ignores one of the two")
    scores = scores.masked_fill(~_seen(kind, scores, key_lengths), -torch.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    if at["norm_op"] == "SOFTMAX":
        scores = scores.softmax(-1)
    return scores @ value


def _seen(kind: str, scores: Tensor, lengths: Tensor | None) -> Tensor:
    """Return which keys a query sees by causality and by the lengths of rows, a bool that broadcasts to the scores."""
    rows, columns = scores.shape[-2:]
    ends = torch.tensor([columns]) if lengths is None else lengths.long()
    ends, places = ends.reshape(-1, 1, 1, 1), torch.arange(columns)
    seen = places < ends
    if kind != "NONE":
        # UPPER_LEFT aligns the first positions of queries and keys, LOWER_RIGHT the last ones of each row.
        first = ends - rows if kind == "LOWER_RIGHT" else 0
        seen = seen & (places <= first + torch.arange(rows)[:, None])
    return seen


@computes("ATTENTION_OUTPUT", moves=True)
def attention_output(at: Attributes, x: Tensor) -> Tensor:
    """Return the result of the layer it is paired with."""
    return x
