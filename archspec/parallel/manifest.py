"""The manifest of a checkpoint: everything but the tensors, as JSON, and the files that must be there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from archspec.diagnostics import fail
from archspec.record import record

NAME = "checkpoint.json"
_VERSION = 1
_HELP = "remove the folder to resume from the checkpoint before it"


@record
class CheckpointManifest:
    """What a checkpoint says of itself.

    `data` is what the caller saved, `values` are those of the optimizer that are no tensors, `files` the sizes in bytes
    of the other files in the folder by their names.
    """

    step: int
    data: Mapping[str, Any]
    values: Mapping[str, Any]
    files: Mapping[str, int] | None = None

    def of_files(self, folder: Path) -> CheckpointManifest:
        """Return the manifest with the files that a folder has now."""
        return replace(self, files=_sizes(folder))


def write_manifest(folder: Path, manifest: CheckpointManifest) -> None:
    """Write the manifest of a folder. Raises SpecError E943 for values that JSON cannot hold, OSError as files do."""
    content = {"version": _VERSION, "step": manifest.step, "data": manifest.data, "values": manifest.values}
    try:
        text = json.dumps(content | {"files": manifest.files}, indent=1)
    except (TypeError, ValueError) as error:
        help = "give numbers, texts, lists and maps of these"
        fail("E943", "`data` or a value of the optimizer is no JSON", None, notes=[str(error)], help=help)
    (folder / NAME).write_text(text, encoding="utf-8")


def read_manifest(folder: Path, *, whole: bool = True) -> CheckpointManifest:
    """Read the manifest of a folder. Raises SpecError E941 if it cannot be read or, if `whole`, files are not its own.

    Args:
        folder: the folder of a checkpoint.
        whole: whether the files in the folder must be those that the manifest lists.
    """
    try:
        content = json.loads((folder / NAME).read_bytes())
    except OSError as error:
        _refuse(folder, f"{NAME}: {(error.strerror or str(error)).lower()}")
    except (ValueError, RecursionError) as error:
        _refuse(folder, f"{NAME} is no JSON: {error}")
    keys = {"step": int, "data": dict, "values": dict, "files": dict if whole else type(None)}
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        _refuse(folder, f"{NAME} has no version {_VERSION}")
    for key, kind in keys.items():
        if not isinstance(content.get(key), kind):
            _refuse(folder, f"{NAME} has no {key}")
    if whole:
        _check_files(folder, content["files"])
    return CheckpointManifest(**{key: content[key] for key in keys})


def _check_files(folder: Path, files: Mapping[str, Any]) -> None:
    """Raise E941 unless a folder has exactly these files, of these sizes."""
    found = _sizes(folder)
    for name in {**files, **found}:
        if name not in found:
            _refuse(folder, f"{name} is missing")
        if name not in files:
            _refuse(folder, f"{name} is not in {NAME}")
        if found[name] != files[name]:
            _refuse(folder, f"{name} has {found[name]} bytes, expected {files[name]}")


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != NAME}


def _refuse(folder: Path, reason: str) -> NoReturn:
    fail("E941", f"checkpoint {folder} is damaged: {reason}", None, help=_HELP)
