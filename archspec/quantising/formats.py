"""The formats of weights, as they are written: `int8`, `int4:32`, `fp8`, `float`."""

from __future__ import annotations

import re
from typing import NoReturn

from archspec.diagnostics import fail
from archspec.ir.storage import Bits, Storage
from archspec.record import record

_FORMAT = re.compile(r"int(4|8)(?::(-?[0-9]{1,9}))?")
_BITS: dict[str, Bits] = {"4": 4, "8": 8}
KEPT = "float"
"""The word for weights that stay as they are."""
STORED = "stored"
"""The word for weights that stay the integers that they are in a file; which format that is, the file says."""
FLOATING = "fp8"
"""The word for numbers of float8_e4m3fn."""
_LEAST_BLOCK = 16


@record
class Format:
    """Integers of `bits` bits with a scale for each channel, or with `block` for each block of that many entries.

    With `floating`, numbers of float8_e4m3fn.
    """

    bits: Bits
    block: int | None = None
    floating: bool = False

    def stored(self, channels: int) -> Storage:
        """The storage of a parameter of which so many leading axes have scales of their own."""
        return Storage(bits=self.bits, channels=channels, block=self.block, floating=self.floating)

    def __str__(self) -> str:
        if self.floating:
            return FLOATING
        return f"int{self.bits}" if self.block is None else f"int{self.bits}:{self.block}"


def read_format(text: str) -> Format | None:
    """Read a format; None for `float`. Raises SpecError E630."""
    if text == KEPT:
        return None
    if text == FLOATING:
        return Format(bits=8, floating=True)
    found = _FORMAT.fullmatch(text)
    if found is None:
        _refuse(text, "it is no format of weights")
    bits, block = _BITS[found[1]], None if found[2] is None else int(found[2])
    # Engines have products of 4-bit integers in blocks alone, and all read blocks of a power of two.
    if block is None and bits == 4:
        _refuse(text, "integers of 4 bits need a scale for each block")
    if block is not None and (block < _LEAST_BLOCK or block & (block - 1)):
        _refuse(text, f"a block has a power of two of entries, from {_LEAST_BLOCK}")
    return Format(bits=bits, block=block)


def _refuse(text: str, reason: str) -> NoReturn:
    """Raise E630."""
    help = f"write `int8`, `int4:32`, `{FLOATING}`, `{STORED}` or `{KEPT}`, after `NODE=` for the weights of one node"
    fail("E630", f"cannot quantise to `{text}`", None, notes=[reason], help=help)
