"""Find the files of a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NoReturn

from archspec.diagnostics import Diagnostic, fail
from archspec.layouts.report import also, and_more
from archspec.record import record
from archspec.spec.files import is_file, is_folder, is_there

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_OTHER = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack", ".npz", ".onnx", ".tar")
_HELP = (
    "if you trust the file, convert it: load it, and save its state dict with safetensors.torch.save_file; "
    "`docs/importing.md` has the lines, under Four published models"
)


@record
class Shards:
    """The files of a checkpoint.

    `index` maps tensor names to the files that an index names, empty without an index; `warnings` are about files in
    the folder that are not read.
    """

    files: tuple[Path, ...]
    index: Mapping[str, Path] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()


def find_shards(path: Path) -> Shards:
    """Return the safetensors files that a path means: the file itself, those of an index, or those of a folder.

    In a folder, `model.safetensors` is preferred to an index. Raises SpecError E522 for another format, E523 for a path
    that does not exist, a folder without weights, or an index that cannot be read or names files outside its folder.
    """
    if is_folder(path):
        return _of_folder(path)
    if not is_there(path):
        fail("E523", f"cannot read {path}: no such file or folder", None)
    if path.name.endswith(".safetensors.index.json"):
        return _of_index(path)
    if path.suffix != ".safetensors":
        _refuse(path)
    return Shards(files=(path,))


def _of_folder(folder: Path) -> Shards:
    """Find the files of a folder; warns if it has an index next to a single file."""
    if is_file(folder / SINGLE):
        others = [folder / INDEX] if is_there(folder / INDEX) else []
        return Shards(files=(folder / SINGLE,), warnings=_stray(folder / SINGLE, others))
    if not is_file(folder / INDEX):
        _refuse_folder(folder)
    return _of_index(folder / INDEX)


def _refuse_folder(folder: Path) -> NoReturn:
    """Raise E522 if the folder has weights of another format, otherwise E523."""
    # Which of several a folder means is not known: they differ in how they are quantised.
    if (packed := next(iter(sorted(folder.glob("*.gguf"))), None)) is not None:
        fail("E523", f"no weights found in {folder} but GGUF", None, help=f"give the file itself, such as {packed}")
    others = sorted(file for file in folder.iterdir() if file.suffix in _OTHER)
    if others:
        found = f"{folder} has no {SINGLE}, only {others[0].name}, which is neither a safetensors nor a GGUF file"
        fail("E522", found, None, help=_HELP)
    help = f"give a folder with {SINGLE} or {INDEX}, or the file itself"
    fail("E523", f"no weights found in {folder}", None, help=help)


def _refuse(path: Path) -> NoReturn:
    fail("E522", f"{path} is neither a safetensors nor a GGUF file", None, help=_HELP)


def _of_index(path: Path) -> Shards:
    """Read an index and return its files."""
    table = _read_index(path)
    index: dict[str, Path] = {}
    for name, file in table.items():
        # An index comes with a download: a path in it must not reach files elsewhere on the machine.
        if not isinstance(file, str) or not _stays_inside(file):
            help = "an index names safetensors files in its own folder"
            fail(
                "E523",
                f"{path} lists `{name}` in {json.dumps(file)}, which is not a file in its folder",
                None,
                help=help,
            )
        index[name] = path.parent / file
    files = tuple(dict.fromkeys(index.values()))
    others = sorted({*path.parent.glob("*.safetensors")} - {*files})
    return Shards(files=files, index=index, warnings=_stray(path, others))


def _stray(read: Path, others: Sequence[Path]) -> tuple[Diagnostic, ...]:
    """Return a warning W511 for files next to the one that is read, which the user may have meant."""
    if not others:
        return ()
    names = [file.name for file in others]
    message = f"{names[0]}{and_more(names)} next to {read.name} in {read.parent} is not read"
    help = "give the file itself if it is the intended one, otherwise remove it"
    return (Diagnostic(code="W511", severity="warning", message=message, notes=tuple(also(names)), help=help),)


def _read_index(path: Path) -> dict[str, Any]:
    """Return the `weight_map` of an index. Raises SpecError E523 if it cannot be read or has none."""
    if not is_file(path):
        fail("E523", f"cannot read {path}: not a regular file", None)
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        fail("E523", f"cannot read {path}", None, notes=[str(error)])
    table = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(table, dict) or not table:
        fail("E523", f"{path} has no `weight_map`", None, help="an index must map the name of each tensor to its file")
    return table


def _stays_inside(file: str) -> bool:
    """Whether a path names a safetensors file in or below the folder of its index, on POSIX and on Windows."""
    windows, posix = PureWindowsPath(file), PurePosixPath(file)
    rooted = windows.drive or windows.root or posix.is_absolute()
    return file.endswith(".safetensors") and not rooted and ".." not in (*windows.parts, *posix.parts)
