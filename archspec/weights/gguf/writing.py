"""Write a GGUF file: matrices in the chosen format or as given blocks, one at a time, everything else in float32."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Collector, fail
from archspec.record import record
from archspec.weights.gguf.header import Value
from archspec.weights.gguf.reading import SUFFIX, require_package
from archspec.weights.into_module import check_range

if TYPE_CHECKING:
    from torch import Tensor

    from archspec.ir.op import Array

FORMATS: Mapping[str, int] = {"F32": 0, "F16": 1, "Q8_0": 7}
"""The formats that are written, with the numbers that `general.file_type` has for them."""
_TYPES: Mapping[str, int] = {**FORMATS, "Q4_0": 2}
"""Those numbers of all formats that a file may have."""
_BLOCK = 32
_QUANTISATION_VERSION = 2


@record(eq=False)
class Blocks:
    """A tensor in the blocks of a format; `packed` are its bytes, uint8 [..., bytes of a row]."""

    format: str
    packed: Array


def write_gguf(
    path: Path,
    architecture: str,
    metadata: Mapping[str, Value],
    tensors: Mapping[str, Tensor],
    format: str,
    blocks: Mapping[str, Blocks] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Write tensors under their GGUF names; after a failure no partial file is left.

    Args:
        path: a name that ends in `.gguf`.
        architecture: the word of llama.cpp, `general.architecture`.
        metadata: all other entries but those about the format of the tensors.
        tensors: floats by GGUF name, axes in PyTorch's order.
        format: `F32`, `F16` or `Q8_0`, of tensors of two axes and more; vectors are float32.
        blocks: what is written of some of these tensors in place of their values, which are not read.

    Returns:
        the names of matrices whose rows are no whole blocks of 32 values, which stay float32.

    Raises:
        SpecError: E522 for another suffix, E523 where the file cannot be written, E527 for values that float16 cannot
            hold, E604 without the package `gguf`.
    """
    require_package()
    if path.suffix != SUFFIX:
        fail("E522", f"{path} does not end in {SUFFIX}", None, help="give the file another name")
    formats = {name: _format(tensor, format) for name, tensor in tensors.items() if name not in blocks}
    _check_ranges({name: tensors[name] for name in formats}, formats)
    types = Counter(one.format for one in blocks.values())
    main = types.most_common(1)[0][0] if types else format
    try:
        # Next to the target, because a file can only be replaced atomically on one file system.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
            made = Path(folder) / path.name
            _write(made, architecture, _with_format(metadata, main), tensors, formats, blocks)
            made.replace(path)
    except OSError as error:
        fail("E523", f"cannot write {path}: {(error.strerror or str(error)).lower()}", None)
    return tuple(name for name, one in formats.items() if tensors[name].dim() > 1 and one != format)


def _format(tensor: Tensor, format: str) -> str:
    """Return the format of one tensor."""
    if tensor.dim() < 2 or (format == "Q8_0" and tensor.shape[-1] % _BLOCK):
        return "F32"
    return format


def _check_ranges(tensors: Mapping[str, Tensor], formats: Mapping[str, str]) -> None:
    """Raise SpecError E527 for values that become infinite; the scales of blocks are in float16, too."""
    import torch

    found, held = Collector(), torch.empty(0, dtype=torch.float16)
    for name, tensor in tensors.items():
        if formats[name] != "F32":
            # The largest value of a block is 127 times its scale.
            check_range(name, tensor / 127 if formats[name] == "Q8_0" else tensor, held, found)
    found.raise_if_errors()


def _with_format(metadata: Mapping[str, Value], format: str) -> dict[str, Value]:
    """Return the metadata with the entries about the format."""
    version: dict[str, Value] = {"general.quantization_version": _QUANTISATION_VERSION} if format[0] == "Q" else {}
    return {**metadata, **version, "general.file_type": _TYPES[format]}


def _write(
    path: Path,
    architecture: str,
    metadata: Mapping[str, Value],
    tensors: Mapping[str, Tensor],
    formats: Mapping[str, str],
    blocks: Mapping[str, Blocks],
) -> None:
    """Write a file: the header first, then a tensor at a time."""
    from gguf import GGMLQuantizationType, GGUFWriter, quantize

    writer = GGUFWriter(path, architecture)
    for key, value in metadata.items():
        _add(writer, key, value)
    kinds = {name: GGMLQuantizationType[blocks[name].format if name in blocks else formats[name]] for name in tensors}
    for name, tensor in tensors.items():
        _announce(writer, name, tuple(tensor.shape), kinds[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, tensor in tensors.items():
        if name in blocks:
            writer.write_tensor_data(blocks[name].packed)
            continue
        # Quantised from float32, in which the package computes.
        writer.write_tensor_data(quantize(tensor.detach().float().contiguous().numpy(), kinds[name]))
    writer.close()


def _announce(writer: Any, name: str, shape: tuple[int, ...], kind: Any) -> None:
    """Say which tensor comes next, of which shape and format."""
    import numpy as np
    from gguf import GGML_QUANT_SIZES, quant_shape_to_byte_shape

    block, size = GGML_QUANT_SIZES[kind]
    count = int(np.prod(shape))
    if block == 1:
        writer.add_tensor_info(name, shape, np.dtype(f"f{size}"), count * size)
    else:
        packed = quant_shape_to_byte_shape(shape, kind)
        writer.add_tensor_info(name, packed, np.dtype("u1"), count // block * size, raw_dtype=kind)


def _add(writer: Any, key: str, value: Value) -> None:
    """Add an entry in the types that llama.cpp reads: whole numbers of 32 bits, float32, texts, and lists of these."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, list(value))
