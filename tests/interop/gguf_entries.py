"""GGUF files that hold metadata alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gguf import GGUFWriter


def write_gguf(path: Path, architecture: str, entries: Mapping[str, Any]) -> None:
    """Write numbers, truths and texts."""
    writer = GGUFWriter(path, architecture)
    kinds = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    for key, value in entries.items():
        kinds[type(value)](key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
