"""Patches for errors of Torch-TensorRT, active while it converts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch


@contextlib.contextmanager
def promoting_soundly() -> Iterator[None]:
    """Correct the promotion of dtypes in `where`.

    Torch-TensorRT 2.13 treats bfloat16 as an integer and casts both sides to int32, which loses values. With this patch
    two tensors of the same dtype keep it, and a float stays a float.
    """
    from torch_tensorrt.dynamo.conversion.impl.condition import ops

    promote = ops.promote_trt_tensors_to_same_dtype

    def sound(context: Any, left: Any, right: Any, name: str) -> tuple[Any, Any]:
        if left.dtype == right.dtype:
            return left, right
        wanted = _bfloat16(left, right)
        if wanted is None:
            promoted: tuple[Any, Any] = promote(context, left, right, name)
            return promoted
        return _cast(context, left, wanted, f"{name}_left"), _cast(context, right, wanted, f"{name}_right")

    with patch.object(ops, "promote_trt_tensors_to_same_dtype", sound):
        yield


def _bfloat16(left: Any, right: Any) -> Any | None:
    """Return bfloat16 if one side has it and the other is not a wider float, otherwise None."""
    import tensorrt_rtx as trt

    dtypes = {left.dtype, right.dtype}
    wider = {trt.float32, trt.float16}
    return trt.bfloat16 if trt.bfloat16 in dtypes and not dtypes & wider else None


def _cast(context: Any, tensor: Any, dtype: Any, name: str) -> Any:
    """Convert a tensor of the network."""
    from torch_tensorrt.dynamo.conversion.converter_utils import cast_trt_tensor

    return cast_trt_tensor(context, tensor, dtype, name)
