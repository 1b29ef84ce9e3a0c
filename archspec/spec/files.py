"""Find and read the files that a spec consists of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Protocol

from archspec.diagnostics import Span, did_you_mean, fail, nearest
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.nodes import MapNode, TextNode
from archspec.text.reader import MAX_BYTES, read_bytes

STDIN = "-"
"""The name of standard input."""


class Elsewhere(Protocol):
    """Files that are not on the disk, such as those of a revision: each has a path that no other file has."""

    def read(self, path: Path) -> bytes | None:
        """The bytes of one of its files; None for the path of any other. Raises OSError where it cannot be read."""
        ...

    def beside(self, name: str, other: str) -> Path | None:
        """The path of a file that is named relative to one of its own; None beside any other file."""
        ...


_ELSEWHERE: ContextVar[Elsewhere | None] = ContextVar("elsewhere", default=None)


@contextmanager
def reading(elsewhere: Elsewhere) -> Iterator[None]:
    """Context manager in which files are also read from elsewhere."""
    token = _ELSEWHERE.set(elsewhere)
    try:
        yield
    finally:
        _ELSEWHERE.reset(token)


def locate(name: str | Path) -> Path:
    """The path of the file that a user names: a path, the bare name of a shipped spec, or `-` for standard input.

    A path is returned without a check that the file exists. Raises SpecError E208 for an unknown bare name.
    """
    if not isinstance(name, (str, Path)):
        # Raised as Python does for an argument of a wrong type: no file and no place in one is at fault.
        raise TypeError(f"expected a spec, a path or the name of a shipped spec, got a {type(name).__name__}")
    if str(name) == STDIN:
        return Path(STDIN)
    # A file in the current folder takes precedence over a shipped spec of the same name.
    if isinstance(name, Path) or _is_path(name) or is_file(Path(name)):
        return Path(name)
    return _shipped(name, None)


def is_file(path: Path) -> bool:
    """Whether a path is a file; false, not an error, for an impossible path, such as one that is too long."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; false, not an error, for an impossible path."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Whether anything has this path; false, not an error, for an impossible path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def locate_parent(extends: TextNode) -> Path:
    """The path of the file that `extends` names: relative to the extending file, or the bare name of a shipped spec.

    Raises SpecError E208 for an unknown bare name.
    """
    return beside(extends) if _is_path(extends.value) else _shipped(extends.value, extends.span)


def beside(name: TextNode) -> Path:
    """The path of the file that a text names, relative to the file that the text is written in."""
    own, elsewhere = name.span.source.name, _ELSEWHERE.get()
    found = None if elsewhere is None else elsewhere.beside(own, name.value)
    return Path(own).parent / name.value if found is None else found


def read_file(path: Path, span: Span | None = None) -> MapNode:
    """Read a file into nodes; `span` is the place that names the file, for messages.

    Raises SpecError E208 if the file cannot be read, E1xx for errors of its text.
    """
    if str(path) == STDIN:
        return read_bytes("<stdin>", _standard_input())
    try:
        data = _data(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        fail("E208", f"cannot read {path}: {reason.lower()}", span, help=_beside(path, span))
    return read_bytes(str(path), data)


def _data(path: Path) -> bytes:
    """The bytes of a file, at most one more than allowed. Raises OSError or ValueError where it cannot be read."""
    elsewhere = _ELSEWHERE.get()
    found = None if elsewhere is None else elsewhere.read(path)
    if found is not None:
        return found
    with path.open("rb") as file:
        # One byte more than allowed is enough to report the file as too large.
        return file.read(MAX_BYTES + 1)


def text_of(path: Path) -> str:
    """The text of a file that `read_file` has read before without an error."""
    return _standard_input().decode() if str(path) == STDIN else path.read_text(encoding="utf-8")


@cache
def _standard_input() -> bytes:
    """The bytes of standard input, kept because it can only be read once."""
    return b"" if sys.stdin is None else sys.stdin.buffer.read(MAX_BYTES + 1)


def _beside(path: Path, span: Span | None) -> str | None:
    """The help for a file that cannot be read: the YAML file in the same folder with the most similar name."""
    own = None if span is None else Path(span.source.name)
    try:
        there = {file.stem: file for file in path.parent.glob("*.y*ml") if file not in (path, own)}
    except (OSError, ValueError):
        there = {}
    near = nearest(path.stem, there)
    if near is not None:
        return f"did you mean `{there[near]}`?"
    return None if span is None else "paths are relative to the file that names them"


def _is_path(name: str) -> bool:
    """Whether a text is written as a path and not as the bare name of a shipped spec."""
    return "/" in name or "\\" in name or name.endswith((".yaml", ".yml"))


def is_shipped(name: str | Path) -> bool:
    """Whether a name is that of a shipped spec."""
    return isinstance(name, str) and not _is_path(name) and is_file(shipped_specs_dir() / f"{name}.yaml")


def _shipped(name: str, span: Span | None) -> Path:
    """The path of a shipped spec. Raises SpecError E208 for an unknown name."""
    folder = shipped_specs_dir()
    names = [path.stem for path in folder.glob("*.yaml")]
    if name not in names:
        help = did_you_mean(name, names, kind="shipped specs") or "write a path that ends in .yaml"
        fail("E208", f"no spec is named `{name}`", span, help=help)
    return folder / f"{name}.yaml"


def describe(path: Path) -> str:
    """The `about` of a file; empty if it has none. Raises SpecError if the file cannot be read."""
    about = read_file(path).get("about")
    return about.value if isinstance(about, TextNode) else ""
