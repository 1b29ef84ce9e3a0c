"""Files written by commands: completely or not at all, and never over an input of the command."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from archspec.diagnostics import fail

_OUTPUTS = ("output", "svg")


def write_whole(path: Path, content: str | Callable[[IO[bytes]], object]) -> None:
    """Write a file atomically, through a temporary file in the folder of the target.

    Links are followed, and an existing file keeps its mode.

    Args:
        path: the file to write.
        content: the text, or a function that writes to a binary file.

    Raises:
        SpecError: E702 if the target is `-` or not a regular file, is read-only, is inside a bundle, is an input of the
            running command, or if writing fails.
    """
    if str(path) == "-":
        help = "leave the option out to print, or choose another name"
        fail("E702", "cannot write -: outputs are files, and this is the name of standard input", None, help=help)
    try:
        target = path.resolve()
        mode = _mode_of(target, path)
        _check_outside(target, path)
        _replace(target, content, mode)
    except (OSError, RuntimeError) as error:
        not_written(path, error)


def _check_outside(target: Path, path: Path) -> None:
    """Raise SpecError E702 for a file in the folder of a bundle, whose files are those of its manifest."""
    # Reading manifests takes longer than most commands, so a name is looked for first.
    if any((folder / "manifest.json").exists() for folder in target.parents):
        from archspec.bundle.files import bundle_around

        around = bundle_around(target)
        if around is not None:
            message = f"cannot write {path}: it is inside the bundle {around}"
            fail("E702", message, None, help="choose a file outside of it")


def not_written(path: Path, error: Exception) -> NoReturn:
    """Report that a file cannot be written. Raises SpecError E702 with the reason in `error`."""
    reason = getattr(error, "strerror", None) or str(error)
    fail("E702", f"cannot write {path}: {reason.lower()}", None)


def require_suffix(path: Path | None, suffix: str, option: str) -> None:
    """Raise click.BadParameter if a path is given whose suffix is that of another format."""
    if path is not None and path.suffix.lower() != suffix:
        raise click.BadParameter(f"{path.name!r} does not end in {suffix}, the format of the output", param_hint=option)


def require_apart(folder: Path) -> None:
    """Raise SpecError E704 if an input of the command is in the output folder of a bundle, which will be replaced."""
    for name, read in _inputs():
        if _is_inside(read, folder):
            message = f"{folder} is not replaced: it contains {read}, which the command reads as `{name}`"
            fail("E704", message, None, help="choose another folder, such as one next to it")


def _is_inside(read: Path, folder: Path) -> bool:
    """Whether an input is the folder or is inside it; false for an invalid path, which is reported when it is read."""
    try:
        return read.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False


def _mode_of(target: Path, path: Path) -> int:
    """The mode that the written file gets: that of the existing file, else that of a new one.

    Raises SpecError E702 if the existing file must not be replaced.
    """
    try:
        found = target.stat()
    except FileNotFoundError:
        # The umask can be read only by setting it.
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
    if not stat.S_ISREG(found.st_mode):
        fail("E702", f"cannot write {path}: it is not a regular file", None, help="give the name of a file")
    for name, read in _inputs():
        if _holds(read, target):
            message = f"cannot write {path}: the command reads it as `{name}`"
            fail("E702", message, None, help="choose another output file")
    if not os.access(target, os.W_OK):
        fail("E702", f"cannot write {path}: it is read-only", None)
    return stat.S_IMODE(found.st_mode)


def _inputs() -> Iterator[tuple[str, Path]]:
    """The files and folders that the running command reads, with the names of its parameters."""
    context = click.get_current_context(silent=True)
    for name, value in ({} if context is None else context.params).items():
        values: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)
        for one in values:
            # A spec is text and not a path, since it may be the name of a shipped one.
            if name not in _OUTPUTS and (isinstance(one, Path) or name in ("spec", "specs")):
                yield name, Path(one)


def _holds(read: Path, target: Path) -> bool:
    """Whether a file is an input, or is inside a folder that is one."""
    try:
        return read.samefile(target) or (read.is_dir() and target.is_relative_to(read.resolve()))
    except (OSError, ValueError):
        return False


def _replace(target: Path, content: str | Callable[[IO[bytes]], object], mode: int) -> None:
    """Write a temporary file and rename it to the target; it is removed if anything fails."""
    # In the folder of the target, because a rename is atomic only within one file system.
    # Shortened, since file systems bound names at 255 bytes or so.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, str):
                file.write(content.encode())
            else:
                content(file)
            # On disk before the rename, so that a crash cannot leave an incomplete file under the final name.
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        # Ctrl-C must leave no temporary file behind either.
        temporary.unlink(missing_ok=True)
        raise
