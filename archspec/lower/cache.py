"""The private folder of the user that stores generated modules, each under the hash of its source."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import tempfile
from pathlib import Path

from archspec.diagnostics import fail

ENVIRONMENT = "ARCHSPEC_CACHE"
_HASH = re.compile(r"[0-9a-f]{64}")


def root() -> Path:
    """The cache folder: `$ARCHSPEC_CACHE` if it is set and not empty, else `archspec` in the user's cache folder."""
    given = os.environ.get(ENVIRONMENT)
    if given:
        return Path(given).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base).absolute() / "archspec"


def folder() -> Path:
    """The folder of generated modules."""
    return root() / "generated"


def digest(source: str) -> str:
    """The hash under which a source is stored: SHA-256 of its UTF-8 bytes, in hex."""
    return hashlib.sha256(source.encode()).hexdigest()


def store(source: str) -> str:
    """Store a source, unless it is stored already.

    Returns:
        its hash, the file name without `.py`.

    Raises:
        SpecError: E503 if the folder cannot be created or written, or is not private.
    """
    name = digest(source)
    home = folder()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_private(home)
        # A file that does not match its hash was damaged, and is written again.
        if read(name) != source:
            _write(home / f"{name}.py", source)
    except OSError as error:
        _refuse(home, error.strerror or str(error))
    return name


def read(name: str) -> str | None:
    """The source of a hash; None if it is not stored, its file does not match the hash, or the folder is not private.

    In a private folder no other user can have put the file. The bytes that are returned are those that were hashed:
    they are read once, so that the file cannot change between the check and its use.
    """
    if not _HASH.fullmatch(name) or not is_private(folder()):
        return None
    try:
        content = path(name).read_bytes()
    except OSError:
        return None
    return content.decode() if hashlib.sha256(content).hexdigest() == name else None


def path(name: str) -> Path:
    """The path of the file of a hash, whether it exists or not."""
    return folder() / f"{name}.py"


def is_private(home: Path) -> bool:
    """Whether a path is a folder, not a link, that belongs to this user and that no other user can access.

    Owner and mode are checked on POSIX systems only.
    """
    try:
        # Not `stat`: a link could lead to a folder of another user.
        found = home.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    return os.name != "posix" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)


def _require_private(home: Path) -> None:
    """Raise SpecError E503 unless the folder is private: its files are imported and executed."""
    if not is_private(home):
        _refuse(home, "it must be a folder owned by this user with mode 0700")


def _refuse(home: Path, reason: str) -> None:
    fail(
        "E503",
        f"generated modules cannot be stored in {home}",
        None,
        notes=(reason,),
        help=f"make the folder private, or set {ENVIRONMENT} to another one",
    )


def _write(target: Path, source: str) -> None:
    """Write a file atomically, by renaming a temporary one: a concurrent reader sees all of it or none."""
    # In the folder of the target, because a rename is atomic only within one file system.
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(source.encode())
        Path(temporary).replace(target)
    except BaseException:
        # Ctrl-C must leave no temporary file behind either.
        Path(temporary).unlink(missing_ok=True)
        raise
