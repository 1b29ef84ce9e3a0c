"""View the memory of TensorRT's weights as arrays, without copies but of what NumPy cannot address."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Numbers of `nvinfer1::DataType`.
_TYPES = {"FP8": 6, "BF16": 7, "INT4": 9}


class _Weights(ctypes.Structure):
    """The structure `nvinfer1::Weights` of TensorRT's C++ interface."""

    _fields_ = (("type", ctypes.c_int32), ("values", ctypes.c_void_p), ("count", ctypes.c_int64))


class _Instance(ctypes.Structure):
    """The first fields of a Python object that wraps a C++ object."""

    # CPython's head of every object, then the first pointer of an instance of pybind11.
    _fields_ = (("references", ctypes.c_ssize_t), ("type", ctypes.c_void_p), ("wrapped", ctypes.c_void_p))


def array_of(weights: Any) -> NDArray[Any] | None:
    """Return a flat view of the weights, None for a type that has no view.

    bfloat16 is returned as uint16, since NumPy has no such type, floats of eight bits as float8_e4m3fn of ml_dtypes,
    and integers of four bits each as int8. TensorRT's Python interface gives no access to these: the memory is found
    through the structure behind the object, and only if that structure agrees with the type and size that the object
    reports.
    """
    import numpy as np

    if isinstance(weights, np.ndarray):
        return weights.reshape(-1)
    found = weights.numpy()
    if isinstance(found, np.ndarray):
        return found.reshape(-1)
    if weights.dtype.name not in _TYPES:
        return None
    wrapped = _Instance.from_address(id(weights)).wrapped
    inner = _Weights.from_address(wrapped) if wrapped else None
    if inner is None or inner.type != _TYPES[weights.dtype.name] or inner.count != weights.size:
        return None
    if not inner.count:
        return np.empty(0, dtype=np.uint16)  # an omitted bias has no memory
    if weights.dtype.name == "FP8":
        import ml_dtypes

        numbers = (ctypes.c_uint8 * inner.count).from_address(inner.values)
        return np.frombuffer(numbers, dtype=ml_dtypes.float8_e4m3fn)
    if weights.dtype.name == "INT4":
        pairs = (ctypes.c_uint8 * (-(-inner.count // 2))).from_address(inner.values)
        return _halves(np.frombuffer(pairs, dtype=np.int8))[: inner.count]
    buffer = (ctypes.c_uint16 * inner.count).from_address(inner.values)
    return np.frombuffer(buffer, dtype=np.uint16)


def _halves(pairs: NDArray[Any]) -> NDArray[Any]:
    """The two signed integers of each byte, of which the low half is the first."""
    import numpy as np

    # A shift to the left and back gives the low half its sign.
    low, high = (pairs << 4).astype(np.int8) >> 4, pairs >> 4
    found: NDArray[Any] = np.stack([low, high], axis=-1).reshape(-1)
    return found
