"""The files that an editor has open, over those on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from archspec.diagnostics import Source
from archspec.spec.files import nodes_on_disk, read_by
from archspec.text.nodes import MapNode
from archspec.text.reader import MAX_BYTES, read, read_bytes

Version = tuple[object, ...]
"""What tells one content of a file from another: the number of an edit, or time and size of a file on disk."""
_MOST_FILES = 2000
_MOST_FOLDERS = 4000
_MOST_KEPT = 64
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})


class Desk:
    """Open texts by path, which are read in place of the files on disk; nodes of unchanged files are read once.

    `folders` are those in which files that extend an open one are looked for.
    """

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self.folders = folders
        self._open: dict[Path, tuple[Path, str, int]] = {}
        self._edits = 0
        self._nodes: dict[tuple[str, Version], MapNode] = {}

    @property
    def opened(self) -> tuple[Path, ...]:
        """The paths of the open files, as they were opened."""
        return tuple(path for path, _, _ in self._open.values())

    def change(self, path: Path, text: str) -> None:
        """Open a file with a text, or change the text of an open one."""
        known = self._open.get(same_file(path))
        if known is None or known[1] != text:
            self._edits += 1
            self._open[same_file(path)] = (path, text, self._edits)

    def close(self, path: Path) -> None:
        """Close a file: from now on it is read from disk."""
        self._open.pop(same_file(path), None)

    def with_texts(self, texts: Mapping[Path, str]) -> Desk:
        """Another desk with the same open files, some of them with other texts."""
        made = Desk(self.folders)
        for path, text, _ in self._open.values():
            made.change(path, text)
        for path, text in texts.items():
            made.change(path, text)
        return made

    def text(self, path: Path) -> str | None:
        """The text of a file, open or on disk; None for one that cannot be read as text."""
        known = self._open.get(same_file(path))
        if known is not None:
            return known[1]
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1).decode("utf-8")
        except (OSError, ValueError):
            return None

    def version(self, path: Path) -> Version:
        """The version of the content of a file; empty for a file that is not there."""
        known = self._open.get(same_file(path))
        if known is not None:
            return ("open", known[2])
        try:
            found = path.stat()
        except (OSError, ValueError):
            return ()
        return (found.st_mtime_ns, found.st_size)

    @contextmanager
    def reading(self) -> Iterator[dict[Path, Version]]:
        """Context manager in which specs are read from the desk; gives the files that were read, with their versions.

        A file that could not be read is among them: its version changes when it appears.
        """
        seen: dict[Path, Version] = {}

        def reader(path: Path) -> MapNode:
            seen[path] = self.version(path)
            return self._read(path, seen[path])

        with read_by(reader):
            yield seen

    def unchanged(self, seen: Mapping[Path, Version]) -> bool:
        """Whether files still have these versions."""
        return all(self.version(path) == version for path, version in seen.items())

    def _read(self, path: Path, version: Version) -> MapNode:
        """The nodes of a file. Raises OSError, ValueError or SpecError as `nodes_on_disk` does."""
        key = (str(path), version)
        if key not in self._nodes:
            known = self._open.get(same_file(path))
            made = nodes_on_disk(path) if known is None else _nodes(str(path), known[1])
            if len(self._nodes) >= _MOST_KEPT:
                self._nodes.pop(next(iter(self._nodes)))
            self._nodes[key] = made
        return self._nodes[key]

    def specs(self) -> Iterator[Path]:
        """The open files, then the specs in the folders, of at most a few thousand files."""
        yield from self.opened
        known, left = set(self._open), _MOST_FILES
        for folder in self.folders:
            for root, names, files in islice(os.walk(folder), _MOST_FOLDERS):
                names[:] = sorted(name for name in names if not name.startswith(".") and name not in _SKIPPED)
                for path in (Path(root, name) for name in sorted(files) if name.endswith((".yaml", ".yml"))):
                    left -= 1
                    if left < 0:
                        return
                    if same_file(path) not in known and "archspec:" in (self.text(path) or ""):
                        known.add(same_file(path))
                        yield path


def _nodes(name: str, text: str) -> MapNode:
    """The nodes of an open text. Raises SpecError as `nodes_on_disk` does for a file with the text."""
    data = text.encode("utf-8", "surrogatepass")
    # No more of a file is read than tells that it is too large.
    return read(Source(name, text)) if len(data) <= MAX_BYTES else read_bytes(name, data[: MAX_BYTES + 1])


def same_file(path: Path) -> Path:
    """One path for all names of a file."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path
