"""Specs at a revision of git: a file, and the files that it names, as they were. Nothing is checked out or run."""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from archspec.diagnostics import fail
from archspec.record import record
from archspec.spec import Spec, load
from archspec.spec.files import STDIN, is_file, is_folder, is_shipped, nodes_on_disk, read_by
from archspec.text.nodes import MapNode
from archspec.text.reader import MAX_BYTES, read_bytes
from archspec.text.sections import names_section

_NO_FETCH = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


@record
class Revised:
    """A file of a repository at a revision: `name` is the revision as it was given, `path` is from the root."""

    name: str
    path: str
    commit: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.short}:{self.path}"

    @property
    def short(self) -> str:
        """The revision as it was given; of a whole commit its first characters."""
        return self.commit[:8] if self.name == self.commit else self.name

    @property
    def exists(self) -> bool:
        """Whether the revision has the file."""
        return self._blob(self.path) is not None

    @property
    def is_spec(self) -> bool:
        """Whether the file said at the revision that it is a spec."""
        return names_section((self._blob(self.path) or b"").decode("utf-8", "replace"), "archspec")

    def load(self, *, set: Mapping[str, str] | Sequence[str] = (), reduced: bool = False) -> Spec:
        """The spec, with the files that it names read at the same revision. Raises SpecError as `load` does."""
        with read_by(self._read):
            return load(self._place, set=set, reduced=reduced)

    @property
    def _place(self) -> Path:
        """The path under which it is read: with a folder even at the root, for the files that it names."""
        return Path(f"{self.name}:{posixpath.dirname(self.path) or '.'}", posixpath.basename(self.path))

    def _read(self, path: Path) -> MapNode:
        """The nodes of a file of the commit, or of one on the disk. Raises OSError where the commit has none."""
        if str(path).startswith(f"{self.name}:"):
            found = self._blob(posixpath.normpath(path.as_posix().removeprefix(f"{self.name}:")))
            if found is None:
                raise FileNotFoundError(2, "no such file at this revision")
            return read_bytes(f"{path}", found)
        # A shipped spec, or a file that is named by its whole path, may be of the repository too.
        inside = os.path.relpath(path.resolve(), self.root) if self.root else ".."
        found = self._blob(Path(inside).as_posix())
        return nodes_on_disk(path) if found is None else read_bytes(f"{self.name}:{Path(inside).as_posix()}", found)

    def _blob(self, inside: str) -> bytes | None:
        """The start of a file of the commit, by its path from the root, byte by byte; None where there is none."""
        # A path that leaves the repository is one that git reads from the current folder.
        done = None if inside.startswith("..") else _git(self.folder, "cat-file", "blob", f"{self.commit}:{inside}")
        return None if done is None or done.returncode else done.stdout[: MAX_BYTES + 1]

    @cached_property
    def root(self) -> str:
        """The folder of the repository; empty for one without files."""
        return _git(self.folder, "rev-parse", "--show-toplevel").stdout.decode().rstrip("\n")

    def former(self) -> Revised | None:
        """The file that this one is called instead of since the revision; None where git knows no renaming."""
        options = ("--cached", "--find-renames", "--diff-filter=R", "--name-status", "-z")
        done = _git(self.folder, "diff-index", *options, self.commit, "--")
        # For each file its status, its old and its new path.
        fields = iter(done.stdout.decode("utf-8", "surrogateescape").split("\0"))
        pairs = {new: old for _, old, new in zip(fields, fields, fields, strict=False)}
        return replace(self, path=pairs[self.path]) if self.path in pairs else None


def revised(text: str) -> Revised | None:
    """The file that `REV:FILE` names, as git reads it: FILE is from the root, or with `./` from the current folder.

    None for a text that names a file on the disk or a shipped spec. Raises SpecError E208 for an unknown revision.
    """
    name, colon, path = text.partition(":")
    # `C:\\specs` is a drive, not a revision.
    if not (name and colon and path) or is_file(Path(text)) or (len(name) == 1 and path[0] in "/\\"):
        return None
    inside = path if not path.startswith(("./", "../")) else f"{_prefix(Path(), text)}{path}"
    return _at(name, posixpath.normpath(inside), Path(), text)


def at_revision(file: str, name: str) -> Revised:
    """A file as it was at a revision; it need not be on the disk any more.

    Raises SpecError E208 where there is no repository or revision, and for a shipped spec and standard input.
    """
    path, text = Path(file), f"{name}:{file}"
    if file == STDIN or (is_shipped(file) and not is_file(path)):
        what = "standard input" if file == STDIN else "a shipped spec"
        fail("E208", f"cannot read {text}: `{file}` is {what}, which has no revisions", None, help="name a file")
    folder = next(parent for parent in path.parents if is_folder(parent))
    inside = (Path(_prefix(folder, text)) / path.relative_to(folder)).as_posix()
    return _at(name, posixpath.normpath(inside), folder, text)


def _prefix(folder: Path, text: str) -> str:
    """A folder from the root of its repository, with a slash at its end; "" for the root."""
    done = _git(folder, "rev-parse", "--show-prefix")
    if done.returncode:
        fail("E208", f"cannot read {text}: `{folder}` is in no git repository", None)
    return done.stdout.decode().rstrip("\n")


def _at(name: str, path: str, folder: Path, text: str) -> Revised:
    done = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if done.returncode:
        # That there is no repository is the better reason.
        _prefix(folder, text)
        fail("E208", f"cannot read {text}: git knows no revision `{name}`", None, help="fetch it, or name another one")
    return Revised(name=name, path=path, commit=done.stdout.decode().strip(), folder=folder)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder. Raises SpecError E208 where there is no git or no folder."""
    command = ["git", "--no-pager", *arguments]
    try:
        return subprocess.run(command, cwd=folder, env=os.environ | _NO_FETCH, capture_output=True, check=False)
    except OSError as error:
        what = "git is not installed" if error.filename == "git" else f"no such folder: {folder}"
        fail("E208", f"cannot read a revision: {what}", None)
