"""The tensors of a GGUF file, dequantised: the formats F32, Q4_1 and Q8_0, which are blocks of 32 numbers."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_ALIGNMENT = 32


def read(path: Path) -> dict[str, Array]:
    """Tensors by name, float32, the slowest axis first."""
    with path.open("rb") as file:
        magic, _, tensors, entries = _numbers(file, "4sIQQ")
        assert magic == b"GGUF"
        for _ in range(entries):
            _text(file)
            _value(file, *_numbers(file, "I"))
        heads = [_head(file) for _ in range(tensors)]
        start = -(-file.tell() // _ALIGNMENT) * _ALIGNMENT
        return dict(_tensors(file, heads, start))


def _tensors(file: BinaryIO, heads: list[tuple[str, tuple[int, ...], int, int]], start: int) -> Iterator[Any]:
    for name, shape, format, offset in heads:
        layout, decoded = _FORMATS[format]
        file.seek(start + offset)
        count = int(np.prod(shape)) // (1 if format == 0 else 32)
        blocks = np.frombuffer(file.read(count * layout.itemsize), dtype=layout)
        yield name, decoded(blocks).reshape(shape)


def _head(file: BinaryIO) -> tuple[str, tuple[int, ...], int, int]:
    name = _text(file)
    (rank,) = _numbers(file, "I")
    shape = _numbers(file, f"{rank}Q")[::-1]
    format, offset = _numbers(file, "IQ")
    return name, shape, format, offset


def _numbers(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{layout}", file.read(struct.calcsize(f"<{layout}")))


def _text(file: BinaryIO) -> str:
    return file.read(_numbers(file, "Q")[0]).decode()


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _TEXT:
        return _text(file)
    if kind == _LIST:
        inner, count = _numbers(file, "IQ")
        return [_value(file, inner) for _ in range(count)]
    return _numbers(file, _SCALARS[kind])[0]


def _q4_1(blocks: Array) -> Array:
    low, high = blocks["packed"] & 15, blocks["packed"] >> 4
    numbers = np.concatenate((low, high), axis=1).astype(np.float32)
    return numbers * blocks["scale"].astype(np.float32) + blocks["least"].astype(np.float32)


def _q8_0(blocks: Array) -> Array:
    return blocks["numbers"].astype(np.float32) * blocks["scale"].astype(np.float32)


_FORMATS: dict[int, tuple[np.dtype[Any], Callable[[Array], Array]]] = {
    0: (np.dtype("<f4"), lambda numbers: numbers.copy()),
    3: (np.dtype([("scale", "<f2", 1), ("least", "<f2", 1), ("packed", "u1", 16)]), _q4_1),
    8: (np.dtype([("scale", "<f2", 1), ("numbers", "i1", 32)]), _q8_0),
}
