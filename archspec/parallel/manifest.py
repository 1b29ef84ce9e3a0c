"""The manifest of a checkpoint: everything but the tensors, as JSON, and the other files with their sums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from zlib import crc32

from archspec.diagnostics import fail
from archspec.record import record

NAME = "checkpoint.json"
_VERSION = 2
_HELP = "remove the folder to resume from the checkpoint before it"
_BLOCK = 1 << 22


@record
class CheckpointManifest:
    """What a checkpoint says of itself.

    `data` is what the caller saved, `values` are those of the optimizer that are no tensors, `files` the sums of the
    other files in the folder by their names (see `sum_of`).
    """

    step: int
    data: Mapping[str, Any]
    values: Mapping[str, Any]
    files: Mapping[str, str] | None = None

    def of_files(self, files: Mapping[str, str]) -> CheckpointManifest:
        """Return the manifest with the files that a folder has now."""
        return replace(self, files=files)

    def check_files(self, folder: Path) -> None:
        """Raise SpecError E941 unless a folder has exactly the files of the manifest, by their names."""
        files, found = self.files or {}, file_names(folder)
        for name in sorted({*files, *found}):
            if name not in found:
                refuse(folder, f"{name} is missing")
            if name not in files:
                refuse(folder, f"{name} is not in {NAME}")

    def check_sums(self, folder: Path, rank: int, ranks: int) -> None:
        """Read one of `ranks` shares of the files. Raises SpecError E941 for content that is not that of the manifest.

        Every file is in one share, so that all ranks together read each once.
        """
        for name, wanted in sorted((self.files or {}).items())[rank::ranks]:
            try:
                found = sum_of(folder / name)
            except OSError as error:
                refuse(folder, f"{name}: {(error.strerror or str(error)).lower()}")
            if found != wanted:
                refuse(folder, f"{name} has {found}, expected {wanted}")


def sum_of(file: Path) -> str:
    """Return the size of a file and the sum of its content (CRC-32): `501996 bytes, crc32 0a1b2c3d`."""
    size, total = 0, 0
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            size, total = size + len(block), crc32(block, total)
    return f"{size} bytes, crc32 {total:08x}"


def file_names(folder: Path) -> list[str]:
    """Return the names of the files of a checkpoint besides its manifest, in order."""
    return sorted(path.name for path in folder.iterdir() if path.name != NAME)


def write_manifest(folder: Path, manifest: CheckpointManifest) -> None:
    """Write the manifest of a folder. Raises SpecError E943 for values that JSON cannot hold, OSError as files do."""
    content: dict[str, Any] = {"version": _VERSION, "step": manifest.step, "files": manifest.files}
    try:
        content |= {"data": _with_texts(manifest.data), "values": _with_texts(manifest.values)}
        text = json.dumps({**content, "sum": _sum(content)}, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        help = "give numbers, texts, lists and maps of these"
        fail("E943", "`data` or a value of the optimizer is no JSON", None, notes=[str(error)], help=help)
    (folder / NAME).write_text(text, encoding="utf-8")


def _with_texts(value: Any) -> Any:
    """A value whose maps have texts as keys, which JSON would make of numbers. Raises TypeError for other keys."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not a text")
        return {key: _with_texts(inner) for key, inner in value.items()}
    return [_with_texts(inner) for inner in value] if isinstance(value, list | tuple) else value


def _sum(content: Mapping[str, Any]) -> str:
    """The sum of what a manifest says, however its text is laid out."""
    return f"{crc32(json.dumps(content, sort_keys=True).encode()):08x}"


def read_manifest(folder: Path, *, whole: bool = True) -> CheckpointManifest:
    """Read the manifest of a folder.

    Raises SpecError E941 if it cannot be read or was changed and, if `whole`, where files are missing or not its own.

    Args:
        folder: the folder of a checkpoint.
        whole: whether the files in the folder must be those that the manifest lists.
    """
    try:
        content = json.loads((folder / NAME).read_bytes())
    except OSError as error:
        refuse(folder, f"{NAME}: {(error.strerror or str(error)).lower()}")
    except (ValueError, RecursionError) as error:
        refuse(folder, f"{NAME} is no JSON: {error}")
    keys = {"step": int, "data": dict, "values": dict, "files": dict if whole else type(None)}
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        refuse(folder, f"{NAME} has no version {_VERSION}")
    for key, kind in keys.items():
        if not isinstance(content.get(key), kind):
            refuse(folder, f"{NAME} has no {key}")
    if content.pop("sum", None) != _sum(content):
        refuse(folder, f"{NAME} was changed: its sum is another one")
    found = CheckpointManifest(**{key: content[key] for key in keys})
    if whole:
        found.check_files(folder)
    return found


def refuse(folder: Path, reason: str) -> NoReturn:
    """Raise SpecError E941: a checkpoint is damaged."""
    fail("E941", f"checkpoint {folder} is damaged: {reason}", None, help=_HELP)
