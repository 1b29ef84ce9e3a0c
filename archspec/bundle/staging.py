"""Write a folder next to its destination and move it there as a whole, or leave nothing behind."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archspec.bundle.files import bundle_around, names_under
from archspec.bundle.janitor import __file__ as JANITOR
from archspec.bundle.janitor import clean
from archspec.bundle.manifest import MANIFEST, read_manifest
from archspec.diagnostics import SpecError, fail

# Constants of Linux (fcntl.h and linux/fs.h), which `os` does not offer.
AT_FDCWD = -100
RENAME_EXCHANGE = 2


@contextmanager
def staging(output: Path) -> Iterator[Path]:
    """Provide an empty folder that becomes `output`, replacing a bundle there, when the block ends without an error.

    Until then `output` is unchanged, even if this process is killed. Raises SpecError E702 if it cannot be written,
    E704 if something other than a bundle is in its place.
    """
    try:
        output = output.resolve()
        check_output(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        # Beside the output, because a rename is only atomic on one file system.
        folder = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}.building-"))
    except (FileExistsError, NotADirectoryError):
        file = next((one for one in output.parents if one.exists() and not one.is_dir()), output.parent)
        fail("E702", f"{output} cannot be written: {file} is not a folder", None)
    except (OSError, RuntimeError) as error:
        # `resolve` raises RuntimeError for links that form a circle.
        fail("E702", f"{output} cannot be written: {(getattr(error, 'strerror', None) or str(error)).lower()}", None)
    aside = folder.with_name(f"{folder.name}.previous")
    with _watched(folder, aside, output):
        try:
            yield folder
            open_up(folder)
            synchronise(folder)
            publish(folder, output, aside)
        except OSError as error:
            fail("E702", f"{output} cannot be written: {error.strerror or error}", None)
        finally:
            clean(folder, aside, output)


def check_output(output: Path) -> None:
    """Raise SpecError E704 if the output is inside a bundle, or exists as anything but an empty folder or a bundle."""
    around = bundle_around(output)
    if around is not None:
        fail("E704", f"{output} is inside the bundle {around}", None, help="choose a folder outside of it")
    # A link to nothing does not exist by `exists`, and yet it is in the way.
    if not output.exists() and not output.is_symlink():
        return
    if not output.is_dir():
        _taken(output, "it is not a folder")
    names = set(names_under(output))
    # A folder that holds nothing but empty folders is not empty either.
    if not names and not any(output.iterdir()):
        return
    if MANIFEST not in names:
        _taken(output, "it is neither empty nor a bundle")
    try:
        known = read_manifest((output / MANIFEST).read_text(encoding="utf-8"))
    except (SpecError, OSError, UnicodeDecodeError):
        _taken(output, f"its {MANIFEST} does not belong to a complete bundle")
    strangers = sorted(names - {MANIFEST, *known.files})
    if strangers:
        _taken(output, f"it contains `{strangers[0]}`, which is not part of the bundle there")


def _taken(output: Path, reason: str) -> None:
    """Raise E704 with a reason."""
    help = "choose another folder, or remove this one first"
    fail("E704", f"{output} is not replaced: {reason}", None, help=help)


@contextmanager
def _watched(folder: Path, aside: Path, output: Path) -> Iterator[None]:
    """Run the janitor while the block runs: it cleans up if this process is killed."""
    script, paths = Path(JANITOR), (folder, aside, output)
    # In its own session, so that a signal to this process group does not end it too.
    with subprocess.Popen(
        # Isolated and without site-packages: it starts at once, and no module of the user can break it.
        [sys.executable, "-I", "-S", str(script), *map(str, paths)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        yield
        assert process.stdin is not None
        # If the janitor was ended by someone else, there is nobody to tell.
        with suppress(BrokenPipeError):
            process.stdin.write(b"done\n")
            process.stdin.flush()


def open_up(folder: Path) -> None:
    """Give every file and folder the mode of a newly created one, since temporary folders are private to the user."""
    # The umask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


def synchronise(folder: Path) -> None:
    """Flush every file and folder to the disk before anything is moved."""
    for path in (folder, *folder.rglob("*")):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def publish(folder: Path, output: Path, aside: Path) -> None:
    """Move a folder to its destination.

    Where the system supports it, a complete folder is at the destination at every moment. `aside` is where the old one
    is put if it does not.
    """
    if not _placed(folder, output) and not exchange(folder, output):
        output.rename(aside)
        folder.rename(output)
    # The rename must reach the disk too.
    handle = os.open(output.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _placed(folder: Path, output: Path) -> bool:
    """Move the folder if the destination is free, and return whether it was.

    Another build may occupy it at any moment, so checking first would not be enough.
    """
    try:
        folder.rename(output)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically; return False if the system or the file system does not support that."""
    # Python has no function for it; glibc has since version 2.28.
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    # EINVAL is the answer of a file system that cannot exchange, ENOSYS that of an old kernel.
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))
