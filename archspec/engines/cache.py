"""Cache of built artifacts in the user's cache folder, under a key of everything that they depend on.

An entry is a folder that is written under a temporary name and then renamed: of two concurrent builds each writes its
own, and the second finds the entry of the first. Every file is checked against its hash when it is taken; an entry that
does not match is treated as missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from archspec.engines.engine import OPSET, Artifact, Target
from archspec.engines.program import Program
from archspec.engines.registry import engine_of
from archspec.lower.cache import is_private, root
from archspec.model.ports import DTypeName
from archspec.record import record

FORMAT = 1
ENTRY = "entry.json"
TOOLS = (
    *("archspec-compiler", "torch", "onnx", "onnxscript", "onnx-ir", "onnxruntime", "openvino", "numpy"),
    *("tensorrt-rtx", "tensorrt", "torch-tensorrt", "torch-tensorrt-rtx"),
)
_CHUNK = 1 << 20


@record
class Kept:
    """An entry as it is listed.

    `key` is its folder's name, `name` the spec's, `bytes` its size, `age` the seconds since it was last taken.
    """

    key: str
    name: str
    target: str
    dtype: str
    bytes: int
    age: float


def home() -> Path:
    """Return the folder of all entries."""
    return root() / "artifacts"


@cache
def tool_versions() -> Mapping[str, str]:
    """Return the versions of the packages that a build uses, by name.

    Packages that are not installed are left out.
    """
    found = {}
    for name in TOOLS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@cache
def _own_code() -> str:
    """Return the SHA-256 over the source files of the engines."""
    # Changed builders may make other artifacts under the same version of the package.
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    # Sorted, since the order of a folder's files is that of its file system.
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


@record
class Recipe:
    """What an artifact is made from, except for the target.

    `name` and `spec_digest` are the spec's; the program's paths are relative to `folder`; `dtype` is the precision.
    """

    name: str
    spec_digest: str
    folder: Path
    program: Program
    dtype: DTypeName

    def key(self, target: Target) -> str:
        """Return the key of an artifact in the cache, a SHA-256 in hexadecimal.

        It covers all that the artifact depends on: spec, code, weights, profiles, dtype, target, tools, builders and
        host.
        """
        program = self.program.inside(self.folder)
        parts = {
            "format": FORMAT,
            "spec": self.spec_digest,
            "source": _sha256(program.source),
            "weights": _sha256(program.weights),
            "program": self.program.to_json(),
            "dtype": self.dtype,
            "target": str(target),
            "opset": OPSET,
            "tools": dict(tool_versions()),
            "builders": _own_code(),
            "host": _host(target),
        }
        # Sorted, so that the order in which parts are listed is no part of the key.
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def take(self, target: Target, place: Path) -> Artifact | None:
        """Copy an artifact that was built before into the empty folder `place`.

        Returns None, and leaves the folder empty, if there is none; a damaged entry is removed.
        """
        entry = home() / self.key(target)
        if not is_private(home()):
            return None
        try:
            about = json.loads((entry / ENTRY).read_text(encoding="utf-8"))
            artifact = Artifact.from_json(about["artifact"])
            # An entry is only data from the disk: its names must not lead out of the folder.
            if {*about["files"]} != {*artifact.files} or not all(_is_name(name) for name in artifact.files):
                raise ValueError("the entry has an invalid list of files")
            for name in artifact.files:
                if _copied(entry / name, place / name) != about["files"][name]:
                    raise ValueError(f"{name} differs from what was cached")
            # The time of the entry is when it was last taken: `clear` removes old ones by it.
            os.utime(entry / ENTRY)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            # A missing entry is an ordinary miss; a damaged one would fail every time.
            if not isinstance(error, FileNotFoundError):
                shutil.rmtree(entry, ignore_errors=True)
            _empty(place)
            return None
        return artifact

    def keep(self, target: Target, artifact: Artifact, place: Path) -> str | None:
        """Store an artifact whose files are in `place`.

        Returns why it could not be stored, None if it was; after a failure nothing remains. A failure to store is not
        an error of the build.
        """
        try:
            home().mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_private(home()):
                return f"{home()} is not a folder owned by this user with mode 0700"
            # The leading dot marks an entry that is not complete: `entries` skips it.
            temporary = Path(tempfile.mkdtemp(dir=home(), prefix="."))
        except OSError as error:
            return error.strerror or str(error)
        try:
            files = {name: _copied(place / name, temporary / name) for name in artifact.files}
            about = {"name": self.name, "artifact": artifact.to_json(), "files": files}
            (temporary / ENTRY).write_text(json.dumps(about), encoding="utf-8")
            _publish(temporary, home() / self.key(target))
        except OSError as error:
            return error.strerror or str(error)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return None


def _host(target: Target) -> str:
    """Return what an artifact is bound to: the kind of processor for native code, otherwise the operating system."""
    # Only programs are compiled for a kind of processor, and asking for it loads torch.
    if engine_of(target).form == "program":
        from archspec.engines.host import this_host

        return this_host()
    return sys.platform


def entries() -> Iterator[Kept]:
    """Yield the entries, the last taken first; an entry that cannot be read is listed with its key only."""
    found = [path for path in _folders() if not path.name.startswith(".")]
    yield from sorted((_kept(path) for path in found), key=lambda kept: kept.age)


def clear(older: float = 0.0) -> tuple[int, int]:
    """Remove the entries that were not taken for `older` seconds. Returns how many, and their size in bytes."""
    removed = [kept for kept in entries() if kept.age >= older]
    for kept in removed:
        shutil.rmtree(home() / kept.key, ignore_errors=True)
    for path in _folders():
        # Left behind by a build that was killed; an entry that is still being written is younger.
        if path.name.startswith(".") and _age(path) > 24 * 3600:
            shutil.rmtree(path, ignore_errors=True)
    return len(removed), sum(kept.bytes for kept in removed)


def _folders() -> list[Path]:
    """Return the folders in the cache, none unless it is private to this user."""
    return [path for path in home().iterdir() if path.is_dir()] if is_private(home()) else []


def _kept(path: Path) -> Kept:
    """Describe an entry; text that cannot be read leaves fields empty."""
    about: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        about = json.loads((path / ENTRY).read_text(encoding="utf-8"))
    artifact = about.get("artifact", {})
    return Kept(
        key=path.name,
        name=about.get("name", "unreadable"),
        target=artifact.get("target", ""),
        dtype=artifact.get("dtype", ""),
        bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        age=_age(path),
    )


def _age(path: Path) -> float:
    """Return the seconds since an entry was last taken."""
    marker = path / ENTRY if (path / ENTRY).exists() else path
    # A clock that was set back must give no negative age.
    return max(0.0, time.time() - marker.stat().st_mtime)


def _publish(temporary: Path, entry: Path) -> None:
    """Rename a finished entry into place; one that is there already is as good."""
    try:
        temporary.rename(entry)
    except OSError:
        # Usually another build stored the same entry first.
        if not (entry / ENTRY).is_file():
            raise


def _empty(place: Path) -> None:
    """Remove the files of a folder."""
    for path in place.iterdir():
        path.unlink()


def _is_name(name: str) -> bool:
    """Whether a name from an entry is a plain file name, which cannot lead out of the folder."""
    return Path(name).name == name and name not in (ENTRY, "..", ".", "")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copied(source: Path, target: Path) -> str:
    """Copy a file and return the SHA-256 of what was copied.

    Hashing while copying leaves no time in which the file could change between the two.
    """
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
    return digest.hexdigest()
