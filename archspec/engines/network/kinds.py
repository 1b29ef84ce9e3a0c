"""The supported kinds of layers: TensorRT's class for each, and the names of its attributes."""

from __future__ import annotations

KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ACTIVATION": ("IActivationLayer", ("type", "alpha", "beta")),
    "ASSERTION": ("IAssertionLayer", ("message",)),
    "CAST": ("ICastLayer", ("to_type",)),
    "CONCATENATION": ("IConcatenationLayer", ("axis",)),
    "CONSTANT": ("IConstantLayer", ("shape", "weights")),
    "CUMULATIVE": ("ICumulativeLayer", ("op", "exclusive", "reverse")),
    "DEQUANTIZE": ("IDequantizeLayer", ("axis",)),
    "DIST_COLLECTIVE": ("IDistCollectiveLayer", ("num_ranks",)),
    "EINSUM": ("IEinsumLayer", ("equation",)),
    "ELEMENTWISE": ("IElementWiseLayer", ("op",)),
    "FILL": ("IFillLayer", ("operation", "shape", "alpha", "beta")),
    "GATHER": ("IGatherLayer", ("mode", "axis", "num_elementwise_dims")),
    "IDENTITY": ("IIdentityLayer", ()),
    "KV_CACHE_UPDATE": ("IKVCacheUpdateLayer", ("cache_mode",)),
    "MATRIX_MULTIPLY": ("IMatrixMultiplyLayer", ("op0", "op1")),
    "NON_ZERO": ("INonZeroLayer", ()),
    "NORMALIZATION": ("INormalizationLayer", ("axes", "epsilon", "num_groups", "is_v2")),
    "ONE_HOT": ("IOneHotLayer", ("axis",)),
    "PADDING": ("IPaddingLayer", ("pre_padding_nd", "post_padding_nd")),
    "PARAMETRIC_RELU": ("IParametricReLULayer", ()),
    "QUANTIZE": ("IQuantizeLayer", ("axis", "to_type")),
    "REDUCE": ("IReduceLayer", ("op", "axes", "keep_dims")),
    "ROTARY_EMBEDDING": ("IRotaryEmbeddingLayer", ("interleaved", "rotary_embedding_dim")),
    "SCALE": ("IScaleLayer", ("mode", "shift", "scale", "power", "channel_axis")),
    "SCATTER": ("IScatterLayer", ("mode", "axis")),
    "SELECT": ("ISelectLayer", ()),
    "SHAPE": ("IShapeLayer", ()),
    "SHUFFLE": ("IShuffleLayer", ("first_transpose", "reshape_dims", "second_transpose", "zero_is_placeholder")),
    "SLICE": ("ISliceLayer", ("start", "shape", "stride", "axes", "mode")),
    "SOFTMAX": ("ISoftMaxLayer", ("axes",)),
    "SQUEEZE": ("ISqueezeLayer", ()),
    "TOPK": ("ITopKLayer", ("op", "k", "axes")),
    "UNARY": ("IUnaryLayer", ("op",)),
    "UNSQUEEZE": ("IUnsqueezeLayer", ()),
    **dict.fromkeys(
        ("CONVOLUTION", "DECONVOLUTION"),
        (
            "IConvolutionLayer",
            (
                *("kernel", "bias", "kernel_size_nd", "num_output_maps", "num_groups", "stride_nd", "dilation_nd"),
                *("padding_mode", "pre_padding", "post_padding"),
            ),
        ),
    ),
    "POOLING": (
        "IPoolingLayer",
        (
            *("type", "window_size_nd", "stride_nd", "padding_mode", "pre_padding", "post_padding"),
            *("average_count_excludes_padding", "blend_factor"),
        ),
    ),
    "RESIZE": (
        "IResizeLayer",
        (
            *("resize_mode", "shape", "scales", "coordinate_transformation", "selector_for_single_pixel"),
            *("nearest_rounding", "cubic_coeff", "exclude_outside"),
        ),
    ),
    "ATTENTION_INPUT": ("IAttentionInputLayer", ()),
    "ATTENTION_OUTPUT": ("IAttentionOutputLayer", ()),
}

ATTENTION = ("norm_op", "causal_kind", "query_form", "key_value_form")
"""The attributes that the two layers of an attention share, on the object that owns them."""
QUANTIZED = "normalization_quantize_to_type"
"""The attributes of an attention with quantised weights."""
