"""Files of a bundle: their hashes, and that none of them lies outside its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from archspec.bundle.manifest import MANIFEST, FileEntry, read_manifest
from archspec.diagnostics import Collector, SpecError


def entry_of(path: Path) -> FileEntry:
    """Return the size and SHA-256 of a file."""
    with path.open("rb") as file:
        return FileEntry(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)


def entries_under(folder: Path) -> dict[str, FileEntry]:
    """Return every file under a folder except the manifest, by relative path, sorted."""
    return {name: entry_of(folder / name) for name in sorted(names_under(folder)) if name != MANIFEST}


def names_under(folder: Path) -> Iterator[str]:
    """Yield the relative paths, with forward slashes, of everything that is not a folder; links to folders included."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()


def bundle_around(path: Path) -> Path | None:
    """Return the bundle that a path lies in; None if it lies in none, or is one itself."""
    for folder in path.resolve().parents:
        try:
            text = (folder / MANIFEST).read_text(encoding="utf-8")
            read_manifest(text)
        except (SpecError, OSError, UnicodeDecodeError):
            # Many programs have files of this name, so a folder is a bundle only if its manifest is sound.
            continue
        return folder
    return None


def check_files(folder: Path, entries: Mapping[str, FileEntry]) -> None:
    """Check the path of every file, then its size and hash.

    Raises SpecError: E709 for every path that leaves the folder, or E708 for every file that is missing or changed.
    """
    found = Collector()
    for name in entries:
        if leaves(folder, name):
            help = "do not use a bundle whose manifest points outside it"
            found.error("E709", f"the manifest names `{name}`, which is not inside the bundle", None, help=help)
    found.raise_if_errors()
    # No file is read before every path is known to be inside the folder.
    for name, entry in entries.items():
        problem = _problem(folder / name, entry)
        if problem:
            found.error("E708", f"`{name}` {problem}", None, help="copy the whole bundle again, or rebuild it")
    found.raise_if_errors()


def leaves(folder: Path, name: str) -> bool:
    """Whether a path of the manifest is absolute, climbs out of the folder, or passes through a symbolic link."""
    path = PurePosixPath(name)
    # Backslashes and colons separate folders and name drives on other systems, to which a bundle may be copied.
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or ":" in name:
        return True
    steps = [folder.joinpath(*path.parts[: count + 1]) for count in range(len(path.parts))]
    return any(step.is_symlink() for step in steps)


def _problem(path: Path, entry: FileEntry) -> str | None:
    """Return what is wrong with a file, None if it is as the manifest says."""
    if not path.is_file():
        return "is missing"
    # The size is compared first, since hashing reads the whole file.
    if path.stat().st_size != entry.bytes or entry_of(path).sha256 != entry.sha256:
        return "was changed after the bundle was built"
    return None
