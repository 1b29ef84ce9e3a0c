"""Blocks of a GGUF file as the integers and scales that they are: `value = scale * integer`.

What is read as floats alone: formats whose blocks have an offset too, such as Q4_1, and those of fewer than three bits.
Source: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h, the structs `block_*`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from archspec.ir.storage import Bits
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

    Unpacked = tuple[Array, Array]


@record(eq=False)
class Packing:
    """How a format packs integers and scales.

    Fields:
        bits: those that its integers fit in.
        group: how many neighbouring values share a scale.
        unpack: takes blocks [blocks, bytes] of uint8; returns integers [blocks, values], int8, and scales
            [blocks, groups], float32, which holds them exactly.
    """

    bits: Bits
    group: int
    unpack: Callable[[Array], Unpacked]


def _q8_0(blocks: Array) -> Unpacked:
    import numpy as np

    return blocks[:, 2:].view(np.int8), _halves(blocks[:, :2])


def _q4_0(blocks: Array) -> Unpacked:
    return _less(_nibbles(blocks[:, 2:]), 8), _halves(blocks[:, :2])


def _q5_0(blocks: Array) -> Unpacked:
    import numpy as np

    fifth = np.unpackbits(blocks[:, 2:6], axis=-1, bitorder="little")
    return _less(_nibbles(blocks[:, 6:]) | fifth << 4, 16), _halves(blocks[:, :2])


def _q6_k(blocks: Array) -> Unpacked:
    import numpy as np

    # Each half of a block has 64 bytes with the low bits, of which the second nibbles are values 64 further on.
    packed, high = blocks[:, :128].reshape(-1, 2, 64), blocks[:, 128:192].reshape(-1, 2, 1, 32)
    low: Array = np.stack((packed & 15, packed >> 4), axis=2)
    integers = _less(low.reshape(-1, 2, 4, 32) | (high >> _shifts(4) & 3) << 4, 32)
    return integers.reshape(-1, 256), _halves(blocks[:, 208:]) * blocks[:, 192:208].view(np.int8)


def _q3_k(blocks: Array) -> Unpacked:
    import numpy as np

    third = np.unpackbits(blocks[:, :32, None], axis=-1, bitorder="little").swapaxes(1, 2)
    low = blocks[:, 32:96].reshape(-1, 2, 1, 32) >> _shifts(4) & 3
    # A bit that is not set takes 4 off.
    integers = _less(low.reshape(-1, 8, 32) | third << 2, 4)
    six = blocks[:, 96:104, None] >> np.array([0, 4], np.uint8) & 15
    more = blocks[:, 104:108, None] >> np.array([0, 2, 4, 6], np.uint8) & 3
    six = _less(six.swapaxes(1, 2).reshape(-1, 16) | more.swapaxes(1, 2).reshape(-1, 16) << 4, 32)
    return integers.reshape(-1, 256), _halves(blocks[:, 108:]) * six


def _iq4_nl(blocks: Array) -> Unpacked:
    return _levels()[_nibbles(blocks[:, 2:])], _halves(blocks[:, :2])


def _iq4_xs(blocks: Array) -> Unpacked:
    import numpy as np

    high = np.ascontiguousarray(blocks[:, 2:4]).view("<u2") >> np.arange(0, 16, 2, dtype=np.uint16) & 3
    low = np.stack((blocks[:, 4:8] & 15, blocks[:, 4:8] >> 4), axis=-1).reshape(-1, 8)
    integers = _levels()[_nibbles(blocks[:, 8:].reshape(-1, 16))]
    return integers.reshape(-1, 256), _halves(blocks[:, :2]) * _less(low | high.astype(np.uint8) << 4, 32)


PACKINGS: Mapping[str, Packing] = MappingProxyType(
    {
        "Q4_0": Packing(bits=4, group=32, unpack=_q4_0),
        "Q5_0": Packing(bits=8, group=32, unpack=_q5_0),
        "Q8_0": Packing(bits=8, group=32, unpack=_q8_0),
        "Q3_K": Packing(bits=4, group=16, unpack=_q3_k),
        "Q6_K": Packing(bits=8, group=16, unpack=_q6_k),
        "IQ4_NL": Packing(bits=8, group=32, unpack=_iq4_nl),
        "IQ4_XS": Packing(bits=8, group=32, unpack=_iq4_xs),
    }
)
"""The formats that are integers with scales, by their names."""

OFFSETS = ("Q4_1", "Q5_1", "Q2_K", "Q4_K", "Q5_K")
"""Formats whose blocks have an offset too: no scale turns their integers into the values."""


def pack(format: str, integers: Array, scales: Array) -> Array:
    """Blocks of `Q8_0` or `Q4_0` as bytes [blocks, bytes].

    `integers` [blocks, 32] fit in the bits of the format; `scales` [blocks] are rounded to float16.
    """
    import numpy as np

    half = scales.astype("<f2").reshape(-1, 1).view(np.uint8)
    if format == "Q8_0":
        return np.concatenate((half, integers.view(np.uint8)), axis=1)
    whole = (integers + 8).astype(np.uint8)
    return np.concatenate((half, whole[:, :16] | whole[:, 16:] << 4), axis=1)


def _nibbles(packed: Array) -> Array:
    """The low halves of bytes, and after them the high ones."""
    import numpy as np

    return np.concatenate((packed & 15, packed >> 4), axis=1)


def _shifts(count: int) -> Array:
    """Shifts by two bits more each, along an axis before the last."""
    import numpy as np

    return np.arange(0, 2 * count, 2, dtype=np.uint8)[:, None]


def _halves(packed: Array) -> Array:
    """Numbers of float16 as float32."""
    import numpy as np

    found: Array = np.ascontiguousarray(packed).view("<f2").astype(np.float32)
    return found


def _less(unsigned: Array, offset: int) -> Array:
    """Integers that are stored with an offset."""
    import numpy as np

    found: Array = unsigned.astype(np.int8) - np.int8(offset)
    return found


def _levels() -> Any:
    """The integers that the indices of IQ4_NL and IQ4_XS stand for."""
    import numpy as np

    return np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8)
