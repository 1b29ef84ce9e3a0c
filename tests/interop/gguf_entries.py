"""GGUF files that hold metadata alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gguf import GGUFWriter


def write_gguf(path: Path, architecture: str, entries: Mapping[str, Any]) -> None:
    """Write whole numbers, truths and texts."""
    writer = GGUFWriter(path, architecture)
    for key, value in entries.items():
        add = writer.add_bool if isinstance(value, bool) else writer.add_uint32 if isinstance(value, int) else None
        (add or writer.add_string)(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
