"""The tensors of a GGUF file: each is read when it is asked for, a few blocks at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

from archspec.diagnostics import fail
from archspec.record import record
from archspec.weights.gguf.blocks import PACKINGS
from archspec.weights.gguf.header import BlockSizes, GgufHeader, StoredTensor, Value, read_header, refuse

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".gguf"
_EXTRA = "pip install 'archspec-compiler[gguf]'"
# What is no block of few bits stays as it is; PyTorch has these under other names.
PLAIN = MappingProxyType(
    {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}
    | {"I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64"}
)
"""The formats of single numbers, each with PyTorch's name of it."""
_AT_ONCE = 1 << 18
"""How many values are dequantised at once: they and what is computed on the way stay in the processor's cache."""


@record(eq=False)
class GgufTensors:
    """The tensors of an open file; `get_tensor` reads one."""

    path: Path
    file: BinaryIO
    stored: Mapping[str, StoredTensor]

    def get_tensor(self, name: str) -> Tensor:
        """Return a tensor in memory of its own, quantised blocks as float32.

        Raises SpecError E522 for a format that the package `gguf` cannot decode, E523 if the file was cut meanwhile.
        """
        import torch

        stored = self.stored[name]
        self.file.seek(stored.offset)
        if stored.format in PLAIN:
            made = torch.empty(stored.shape, dtype=getattr(torch, PLAIN[stored.format]))
            # NumPy has no bfloat16, so that the memory is lent as bytes.
            self._fill(name, made.reshape(-1).view(torch.uint8).numpy())
            return made
        made = torch.empty(stored.shape, dtype=torch.float32)
        self._decode(name, stored, made.reshape(-1).numpy())
        return made

    def get_integers(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the integers of a tensor, int8 in its shape, and their scales, float32 [..., groups of the last axis].

        No number is rounded. Raises KeyError for a format that is none of `PACKINGS`, SpecError E523 if the file was
        cut meanwhile.
        """
        import numpy as np
        import torch

        stored = self.stored[name]
        packing = PACKINGS[stored.format]
        integers = torch.empty(stored.shape, dtype=torch.int8)
        scales = torch.empty((*stored.shape[:-1], stored.shape[-1] // packing.group), dtype=torch.float32)
        whole, parts = (one.reshape(-1).numpy() for one in (integers, scales))
        self.file.seek(stored.offset)
        count = max(1, _AT_ONCE // stored.block)
        for start in range(0, len(whole), count * stored.block):
            into = whole[start : start + count * stored.block]
            packed = np.empty((len(into) // stored.block, stored.block_bytes), np.uint8)
            self._fill(name, packed.reshape(-1))
            # Scales that are not finite are told of the values, by their names.
            with np.errstate(all="ignore"):
                found, multiplied = packing.unpack(packed)
            into[:] = found.reshape(-1)
            parts[start // packing.group : (start + len(into)) // packing.group] = multiplied.reshape(-1)
        return integers, scales

    def _fill(self, name: str, buffer: Any) -> None:
        """Read bytes into a buffer until it is full."""
        if self.file.readinto(buffer) != len(buffer):  # type: ignore[attr-defined]
            refuse(self.path, f"it ends inside `{name}`")

    def _decode(self, name: str, stored: StoredTensor, into: Any) -> None:
        """Dequantise a tensor into an array of float32, in which its values lie in a row."""
        import numpy as np
        from gguf import GGMLQuantizationType, dequantize

        kind = GGMLQuantizationType(stored.kind)
        count = max(1, _AT_ONCE // stored.block)
        packed = np.empty((1, min(count * stored.block_bytes, stored.size)), np.uint8)
        for start in range(0, math.prod(stored.shape), count * stored.block):
            part = into[start : start + count * stored.block]
            taken = packed[:, : len(part) // stored.block * stored.block_bytes]
            self._fill(name, taken[0])
            try:
                # Values that are not finite are told where a checkpoint is taken, by their names.
                with np.errstate(all="ignore"):
                    part[:] = dequantize(taken, kind)[0]
            except NotImplementedError:
                message = f"`{name}` in {self.path} is in {stored.format}, which the package gguf cannot decode"
                fail("E522", message, None, help="convert the file with llama-quantize, to Q8_0 or F16")


def open_gguf(path: Path, stack: ExitStack) -> tuple[GgufHeader, GgufTensors]:
    """Open a GGUF file, which `stack` closes.

    Returns its header and the reader of its tensors. Raises SpecError E523 for a file that cannot be read or is not
    sound, E604 without the package `gguf`.
    """
    blocks = _blocks()
    try:
        file = stack.enter_context(path.open("rb"))
        header = read_header(path, file, blocks)
    except OSError as error:
        fail("E523", f"cannot read {path}: {(error.strerror or str(error)).lower()}", None)
    if (parts := header.metadata.get("split.count", 1)) != 1:
        help = "join the parts with `llama-gguf-split --merge`"
        fail("E523", f"{path} is one of the {parts} parts of a model", None, help=help)
    return header, GgufTensors(path=path, file=file, stored=header.tensors)


def read_metadata(path: Path) -> Mapping[str, Value]:
    """Return the metadata of a GGUF file by key. Raises SpecError as `open_gguf` does."""
    with ExitStack() as stack:
        return open_gguf(path, stack)[0].metadata


def require_package() -> None:
    """Raise SpecError E604 if the package `gguf` is missing; imported only after this."""
    try:
        import gguf  # noqa: F401
    except ImportError:
        fail("E604", "GGUF files need the package gguf, which is not installed", None, help=_EXTRA)


def _blocks() -> BlockSizes:
    """Return the formats that the package `gguf` knows. Raises SpecError E604 if it is missing."""
    require_package()
    from gguf import GGML_QUANT_SIZES

    return {int(kind): (kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}
