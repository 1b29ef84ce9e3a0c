"""The files that an editor has open, over those on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from archspec.diagnostics import Source
from archspec.spec.files import is_file, nodes_on_disk, read_by
from archspec.text.nodes import MapNode
from archspec.text.reader import MAX_BYTES, read, read_bytes
from archspec.text.sections import names_section

Version = tuple[object, ...]
"""What tells one content of a file from another: the number of an edit, or time and size of a file on disk."""
_MOST_FILES = 5000
_MOST_FOLDERS = 20_000
_MOST_KEPT = 64
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})


class TooManyFilesError(Exception):
    """The folders hold more files than are looked at; the text says so."""


class Desk:
    """Open texts by path, which are read in place of the files on disk; nodes of unchanged files are read once.

    One file may be open under several names, with a text under each.

    `folders` are those in which files that extend an open one are looked for.
    """

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self.folders = folders
        self._open: dict[Path, tuple[str, int]] = {}
        self._names: dict[Path, list[Path]] = {}
        self._edits = 0
        self._nodes: dict[tuple[str, Version], MapNode] = {}
        self._specs: dict[Path, tuple[Version, bool]] = {}

    @property
    def opened(self) -> tuple[Path, ...]:
        """The paths of the open files, as they were opened."""
        return tuple(self._open)

    def change(self, path: Path, text: str) -> None:
        """Open a file with a text, or change the text of an open one."""
        known = self._open.get(path)
        if known is not None and known[0] == text:
            return
        self.close(path)
        self._edits += 1
        self._open[path] = (text, self._edits)
        self._names.setdefault(same_file(path), []).append(path)

    def close(self, path: Path) -> None:
        """Close a file: from now on it is read from disk."""
        if self._open.pop(path, None) is not None:
            # The path may lead to another place than when it was opened.
            self._names = {
                place: left for place, names in self._names.items() if (left := [one for one in names if one != path])
            }

    def _known(self, path: Path) -> tuple[str, int] | None:
        """The text of an open file, with the number of its edit; under another name of it the one changed last."""
        if path in self._open:
            return self._open[path]
        names = self._names.get(same_file(path)) if self._open else None
        return self._open[names[-1]] if names else None

    def with_texts(self, texts: Mapping[Path, str]) -> Desk:
        """Another desk with the same open files, some of them with other texts."""
        made = Desk(self.folders)
        for path, (text, _) in self._open.items():
            made.change(path, text)
        for path, text in texts.items():
            for name in self._names.get(same_file(path), (path,)):
                made.change(name, text)
        # Edits are counted by each desk for itself, and versions on disk are the same for all.
        made._nodes = {key: nodes for key, nodes in self._nodes.items() if key[1][:1] != ("open",)}
        return made

    def text(self, path: Path) -> str | None:
        """The text of a file, open or on disk; None for one that cannot be read as text."""
        known = self._known(path)
        if known is not None:
            return known[0]
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1).decode("utf-8")
        except (OSError, ValueError):
            return None

    def has(self, path: Path) -> bool:
        """Whether there is such a file, open or on disk."""
        return self._known(path) is not None or is_file(path)

    def version(self, path: Path) -> Version:
        """The version of the content of a file; empty for a file that is not there."""
        known = self._known(path)
        if known is not None:
            return ("open", known[1])
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
            known = self._known(path)
            made = nodes_on_disk(path) if known is None else _nodes(str(path), known[0])
            if len(self._nodes) >= _MOST_KEPT:
                self._nodes.pop(next(iter(self._nodes)))
            self._nodes[key] = made
        return self._nodes[key]

    def specs(self) -> Iterator[Path]:
        """The open files, then the specs in the folders. Raises TooManyFilesError where not all can be looked at."""
        yield from self.opened
        known = {same_file(path) for path in self._open}
        for path in self._yaml_files():
            if same_file(path) not in known and self._is_spec(path):
                known.add(same_file(path))
                yield path

    def _yaml_files(self) -> Iterator[Path]:
        files_left, folders_left = _MOST_FILES, _MOST_FOLDERS
        for folder in self.folders:
            for root, names, files in os.walk(folder):
                names[:] = sorted(name for name in names if not name.startswith(".") and name not in _SKIPPED)
                found = sorted(name for name in files if name.endswith((".yaml", ".yml")))
                files_left, folders_left = files_left - len(found), folders_left - 1
                if min(files_left, folders_left) < 0:
                    raise TooManyFilesError(f"{folder} holds too many files to look for what extends this one")
                yield from (Path(root, name) for name in found)

    def _is_spec(self, path: Path) -> bool:
        """Whether a file says that it is a spec; each content is looked at once."""
        version = self.version(path)
        known = self._specs.get(path)
        if known is None or known[0] != version:
            known = self._specs[path] = version, names_section(self.text(path) or "", "archspec")
        return known[1]


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
