"""Find and read the files that a spec consists of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from archspec.diagnostics import Span, did_you_mean, fail, nearest
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.nodes import MapNode, TextNode
from archspec.text.reader import MAX_BYTES, read_bytes

STDIN = "-"
"""The name of standard input."""
OF_BUNDLE = "spec.yaml"
"""The spec in the folder of a bundle."""


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
    if _is_path(extends.value):
        return Path(extends.span.source.name).parent / extends.value
    return _shipped(extends.value, extends.span)


def read_file(path: Path, span: Span | None = None) -> MapNode:
    """Read a file into nodes; `span` is the place that names the file, for messages.

    Raises SpecError E208 if the file cannot be read, E1xx for errors of its text.
    """
    if str(path) == STDIN:
        return read_bytes("<stdin>", _standard_input())
    try:
        return _READER.get()(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        fail("E208", f"cannot read {path}: {reason.lower()}", span, help=_beside(path, span))


def nodes_on_disk(path: Path) -> MapNode:
    """The nodes of a file. Raises OSError or ValueError if it cannot be read, SpecError E1xx for errors of its text."""
    with path.open("rb") as file:
        # One byte more than allowed is enough to report the file as too large.
        data = file.read(MAX_BYTES + 1)
    return read_bytes(str(path), data, path.stem if path.parent == shipped_specs_dir() else "")


# A context variable, because files are named deep inside a spec and an editor has some of them open.
_READER: ContextVar[Callable[[Path], MapNode]] = ContextVar("READER", default=nodes_on_disk)


@contextmanager
def read_by(reader: Callable[[Path], MapNode]) -> Iterator[None]:
    """Context manager in which every file is read by `reader`, such as one that knows the open texts of an editor.

    The reader raises what `nodes_on_disk` raises.
    """
    token = _READER.set(reader)
    try:
        yield
    finally:
        _READER.reset(token)


def text_of(path: Path) -> str:
    """The text of a file that `read_file` has read before without an error."""
    return _standard_input().decode() if str(path) == STDIN else path.read_text(encoding="utf-8")


@cache
def _standard_input() -> bytes:
    """The bytes of standard input, kept because it can only be read once."""
    return b"" if sys.stdin is None else sys.stdin.buffer.read(MAX_BYTES + 1)


def _beside(path: Path, span: Span | None) -> str | None:
    """The help for what cannot be read: the spec in a bundle, or the YAML file beside it with the most similar name."""
    if span is None and is_file(path / OF_BUNDLE):
        return _inside(path)
    own = None if span is None else Path(span.source.name)
    try:
        there = {file.stem: file for file in path.parent.glob("*.y*ml") if file not in (path, own)}
    except (OSError, ValueError):
        there = {}
    near = nearest(path.stem, there)
    if near is not None:
        return f"did you mean `{there[near]}`?"
    return None if span is None else "paths are relative to the file that names them"


def _inside(folder: Path) -> str:
    """The help for the folder of a bundle where a spec is expected."""
    return f"it is the folder of a bundle: did you mean `{folder / OF_BUNDLE}`?"


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
        if span is None and is_file(Path(name, OF_BUNDLE)):
            help = _inside(Path(name))
        fail("E208", f"no spec is named `{name}`", span, help=help)
    return folder / f"{name}.yaml"


def describe(path: Path) -> str:
    """The `about` of a file; empty if it has none. Raises SpecError if the file cannot be read."""
    about = read_file(path).get("about")
    return about.value if isinstance(about, TextNode) else ""
