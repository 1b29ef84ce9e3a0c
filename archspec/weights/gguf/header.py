"""The header of a GGUF file: metadata, and where each tensor is. Nothing that a file claims is believed unchecked.

The reader of the package `gguf` makes several arrays for every entry of a list, which takes seconds for a vocabulary.
Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

from archspec.diagnostics import fail
from archspec.layouts.operations import Shape
from archspec.record import record

Value = str | bool | int | float | tuple["Value", ...]
"""A value of the metadata; a list is a tuple."""

BlockSizes = Mapping[int, tuple[str, int, int]]
"""By the number of a format: its name, such as `Q4_1`, how many values a block has, and how many bytes."""

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_MOST_AXES = 4
_DEEPEST = 4
"""How far lists are nested at most; files of llama.cpp have none inside another."""
_MOST_BYTES, _MOST_ENTRIES = 1 << 26, 1 << 23
"""The largest header and the most entries of lists that are read; a vocabulary of 262,144 tokens takes 8 MB."""
_LEAST_ENTRY, _LEAST_TENSOR = 13, 24
"""The fewest bytes that an entry of the metadata and the head of a tensor take."""


Read = TypeVar("Read")


class Malformed(Exception):
    """The file is not a GGUF as its specification says; the message says why."""


@record
class StoredTensor:
    """Where a tensor is.

    `shape` is in PyTorch's order, the slowest axis first; `kind` and `format` are the number and the name of the format
    of its values, of which `block` values take `block_bytes`; `offset` counts from the start of the file.
    """

    shape: Shape
    kind: int
    format: str
    block: int
    block_bytes: int
    offset: int

    @property
    def size(self) -> int:
        """The bytes that the tensor takes in the file."""
        return math.prod(self.shape) // self.block * self.block_bytes


@record
class GgufHeader:
    """The metadata of a GGUF file by key, and its tensors by name."""

    metadata: Mapping[str, Value]
    tensors: Mapping[str, StoredTensor]


def read_header(path: Path, file: BinaryIO, blocks: BlockSizes) -> GgufHeader:
    """Read and check the header of an open file.

    `blocks` has the formats that are known. Raises SpecError E523 for what is not a GGUF, or not a sound one.
    """
    try:
        return _Reader(file).header(blocks)
    except Malformed as error:
        refuse(path, str(error))


def refuse(path: Path, reason: str) -> NoReturn:
    """Raise SpecError E523 for a file that is no sound GGUF."""
    help = "download the file again; it may be incomplete"
    fail("E523", f"{path} is not a sound GGUF file", None, notes=[reason], help=help)


class _Reader:
    """Reads forward through a file; never takes more than the file has left."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, 2)
        self.at = file.seek(0)
        self.entries = 0

    def header(self, blocks: BlockSizes) -> GgufHeader:
        """Return the header. Raises Malformed."""
        self._opening()
        tensors, entries = self.numbers("QQ")
        metadata = self._named(entries, "metadata entries", _LEAST_ENTRY, lambda key: self._value(key))
        heads = self._named(tensors, "tensors", _LEAST_TENSOR, lambda name: self.numbers(self._head(name)))
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise Malformed(f"`general.alignment` is {alignment!r}, expected a power of two")
        start = -(-self.at // alignment) * alignment
        placed = {
            name: self._placed(name, dims, kind, offset, start, blocks) for name, (*dims, kind, offset) in heads.items()
        }
        return GgufHeader(metadata=metadata, tensors=placed)

    def _opening(self) -> None:
        """Check magic and version, which tells the order of bytes too."""
        magic = self.take(4)
        if magic != _MAGIC:
            raise Malformed(f"it starts with {magic!r}, expected {_MAGIC!r}")
        (version,) = self.numbers("I")
        if not version & 0xFFFF:
            raise Malformed("it is big-endian, and only little-endian files are read")
        if version not in _VERSIONS:
            raise Malformed(f"its version is {version}, expected {' or '.join(map(str, _VERSIONS))}")

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        self.at += count
        if self.at > self.size:
            raise Malformed(f"it ends at byte {self.size}, inside its header")
        if self.at > _MOST_BYTES:
            raise Malformed(f"its header takes more than {_MOST_BYTES} bytes")
        return self.file.read(count)

    def numbers(self, layout: str) -> tuple[Any, ...]:
        """Return numbers laid out as `struct` says, little-endian and without gaps."""
        form = f"<{layout}"
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def _named(self, count: int, what: str, least: int, read: Callable[[str], Read]) -> dict[str, Read]:
        """Read `count` things that begin with a name; each takes at least `least` bytes."""
        self._room(count, what, least)
        found: dict[str, Read] = {}
        for _ in range(count):
            name = self._text()
            if name in found:
                raise Malformed(f"`{name}` is given twice among its {what}")
            found[name] = read(name)
        return found

    def _room(self, count: int, what: str, least: int) -> None:
        """Raise Malformed for a count of things that cannot all be in the rest of the file."""
        if count * least > self.size - self.at:
            raise Malformed(f"it claims {count} {what}, more than its {self.size} bytes can hold")
        if self.entries > _MOST_ENTRIES:
            raise Malformed(f"its lists have more than {_MOST_ENTRIES} entries")

    def _text(self) -> str:
        (count,) = struct.unpack("<Q", self.take(8))
        try:
            return self.take(count).decode()
        except UnicodeDecodeError:
            raise Malformed(f"the text before byte {self.at} is not UTF-8") from None

    def _value(self, key: str, depth: int = 0) -> Value:
        (kind,) = self.numbers("I")
        return self._list(key, depth) if kind == _LIST else self._plain(key, kind)

    def _plain(self, key: str, kind: int) -> Value:
        if kind == _TEXT:
            return self._text()
        value: Value = self.numbers(self._scalar(key, kind))[0]
        return value

    def _scalar(self, key: str, kind: int) -> str:
        """Return the letter of `struct` for a kind of number."""
        if kind not in _SCALARS:
            raise Malformed(f"the value of `{key}` is of the unknown type {kind}")
        return _SCALARS[kind]

    def _list(self, key: str, depth: int) -> Value:
        if depth >= _DEEPEST:
            raise Malformed(f"the lists of `{key}` are nested too deeply")
        kind, count = self.numbers("IQ")
        self.entries += count
        if kind == _TEXT:
            self._room(count, f"texts in `{key}`", 8)
            return tuple(self._text() for _ in range(count))
        if kind == _LIST:
            self._room(count, f"lists in `{key}`", 12)
            return tuple(self._list(key, depth + 1) for _ in range(count))
        letter = self._scalar(key, kind)
        self._room(count, f"numbers in `{key}`", struct.calcsize(letter))
        return self.numbers(f"{count}{letter}")

    def _head(self, name: str) -> str:
        """Return the layout of the sizes, the format and the offset of a tensor."""
        (axes,) = self.numbers("I")
        if axes > _MOST_AXES:
            raise Malformed(f"`{name}` has {axes} axes, expected at most {_MOST_AXES}")
        return f"{axes}QIQ"

    def _placed(
        self, name: str, dims: list[int], kind: int, offset: int, start: int, blocks: BlockSizes
    ) -> StoredTensor:
        """Return where a tensor is.

        `dims` are its sizes, the fastest axis first, and `start` is where the first tensor begins.
        """
        if kind not in blocks:
            raise Malformed(f"`{name}` is in the format {kind}, which the package gguf does not know")
        format, block, block_bytes = blocks[kind]
        shape = tuple(reversed(dims))
        if 0 in shape or (shape[-1] if shape else 1) % block:
            raise Malformed(f"`{name}` {list(shape)} cannot be in {format}, in blocks of {block}")
        placed = StoredTensor(
            shape=shape, kind=kind, format=format, block=block, block_bytes=block_bytes, offset=start + offset
        )
        if placed.offset + placed.size > self.size:
            raise Malformed(f"`{name}` {list(shape)} ends beyond the {self.size} bytes of the file")
        return placed
