"""Files that commands write: whole or not at all, and never over what the command reads."""

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
    """Write a text, or what a function writes, through a temporary file beside the target.

    A link is followed and a file that stands there keeps its mode. Raises SpecError E702 for what is not a regular
    file, for a file that the running command reads, and where writing fails.
    """
    try:
        target = path.resolve()
        mode = _mode_of(target, path)
        _replace(target, content, mode)
    except (OSError, RuntimeError) as error:
        not_written(path, error)


def not_written(path: Path, error: Exception) -> NoReturn:
    """Refuse a file that cannot be written. Raises SpecError E702."""
    reason = getattr(error, "strerror", None) or str(error)
    fail("E702", f"cannot write {path}: {reason.lower()}", None)


def require_suffix(path: Path | None, suffix: str, option: str) -> None:
    """Refuse the name of a picture that would be taken for another format. Raises click.BadParameter."""
    if path is not None and path.suffix.lower() != suffix:
        raise click.BadParameter(f"{path.name!r} does not end in {suffix}, the format of the output", param_hint=option)


def require_apart(folder: Path) -> None:
    """Refuse a bundle's folder that holds what the command reads: it would be replaced. Raises SpecError E704."""
    for name, read in _inputs():
        if _stands_in(read, folder):
            message = f"{folder} is not replaced: it holds {read}, which the command reads as `{name}`"
            fail("E704", message, None, help="choose another folder, such as one next to it")


def _stands_in(read: Path, folder: Path) -> bool:
    """Whether an input is the folder or lies in it; what no path can be is told when it is read."""
    try:
        return read.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False


def _mode_of(target: Path, path: Path) -> int:
    """The mode of the file to be: that of the one that stands there, else that of a new one."""
    try:
        found = target.stat()
    except FileNotFoundError:
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
    """The files and folders that the running command was given to read, by the names of its parameters."""
    context = click.get_current_context(silent=True)
    for name, value in ({} if context is None else context.params).items():
        values: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)
        for one in values:
            if name not in _OUTPUTS and (isinstance(one, Path) or name == "spec"):
                yield name, Path(one)


def _holds(read: Path, target: Path) -> bool:
    """Whether a file is an input, or stands in a folder that is one."""
    try:
        return read.samefile(target) or (read.is_dir() and target.is_relative_to(read.resolve()))
    except (OSError, ValueError):
        return False


def _replace(target: Path, content: str | Callable[[IO[bytes]], object], mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, str):
                file.write(content.encode())
            else:
                content(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
