"""Attention of few queries over a long cache, as ONNX: keys and values are read where they are, never repeated."""

from __future__ import annotations

from typing import Any


def grouped_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Write `F.scaled_dot_product_attention` as operators of ONNX; arguments are those of torch's operator.

    The exporter's own form repeats, scales and transposes all keys at each step. Here the queries are scaled, and the
    heads that share a key are rows of one product. A row without a key gives zeros, as in torch.

    Args:
        query: [b, h, s, d].
        key: [b, g, t, d]; key head k is that of h // g query heads from k * (h // g) on.
        value: [b, g, t, v].
        attn_mask: bool [b, 1 or h, s, t], true where a key is seen.
    """
    import onnx_ir
    from onnxscript import opset18 as op

    # Programs are exported in eval mode, and a step has the mask of its positions.
    assert not dropout_p
    assert not is_causal
    assert attn_mask.dtype == onnx_ir.DataType.BOOL
    heads, groups = query.shape[1], key.shape[1]
    entries = op.Shape(key, start=2, end=3)
    # In a shape 0 keeps the size of the input, and -1 takes what is left.
    shared = op.Concat(op.Constant(value_ints=[0, groups, heads // groups, -1]), entries, axis=0)
    # Queries of the heads that share a key follow each other, so that one product reads the key once.
    rows = op.Reshape(_scaled(query, scale), op.Constant(value_ints=[0, groups, -1, query.shape[3]]))
    scores = op.Reshape(op.MatMul(rows, op.Transpose(key, perm=[0, 1, 3, 2])), shared)
    one = attn_mask.shape[1] == 1
    seen = op.Unsqueeze(attn_mask, op.Constant(value_ints=[2])) if one else op.Reshape(attn_mask, shared)
    barred = op.CastLike(op.Constant(value_float=float("-inf")), query)
    weights = op.Softmax(op.Where(seen, scores, barred), axis=-1)
    # The softmax of minus infinities alone is NaN.
    weights = op.Where(op.IsNaN(weights), op.CastLike(op.Constant(value_float=0.0), query), weights)
    weights = op.Reshape(weights, op.Concat(op.Constant(value_ints=[0, groups, -1]), entries, axis=0))
    return op.Reshape(op.MatMul(weights, value), op.Constant(value_ints=[0, heads, -1, value.shape[3]]))


def _scaled(query: Any, scale: float | None) -> Any:
    """Queries times the scale of the scores, 1 / sqrt(d) if none is given."""
    from onnxscript import opset18 as op

    factor = query.shape[3] ** -0.5 if scale is None else scale
    return op.Mul(query, op.CastLike(op.Constant(value_float=factor), query))
