"""Archives of Python files, compiled in place of their sources; run by the interpreter that will import them."""

from __future__ import annotations

import io
import py_compile
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any


def compile_folder(folder: str, archive: str, compression: str, **options: Any) -> int:
    """Write every file of a folder to a tar archive, Python files compiled in place of their sources.

    Args:
        folder: the folder.
        archive: the file to write.
        compression: that of `tarfile`, such as `zst`, which Python 3.14 has.
        options: further arguments of `tarfile.open`, such as the level.

    Returns the number of files.
    """
    root = Path(folder)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    # Entries have no time and no owner, so that archives of the same sources are the same bytes. In this format all
    # headers are alike: the page unpacks it itself.
    opened: Any = tarfile.open
    with opened(archive, f"w:{compression}", format=tarfile.USTAR_FORMAT, **options) as made:
        for path in paths:
            place = path.relative_to(root)
            data = path.read_bytes()
            if path.suffix == ".py":
                place, data = place.with_suffix(".pyc"), _compiled(path, str(place))
            entry = tarfile.TarInfo(place.as_posix())
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return len(paths)


def compile_library(sources: str, archive: str) -> int:
    """Write the standard library, a zip archive of sources, as one of compiled files without their docstrings.

    An interpreter that starts compiles every source that it imports, anew each time. Returns the number of files.
    """
    with (
        zipfile.ZipFile(sources) as given,
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made,
        tempfile.TemporaryDirectory() as name,
    ):
        for place in sorted(given.namelist()):
            path, data = Path(name, "file.py"), given.read(place)
            if place.endswith(".py"):
                path.write_bytes(data)
                place, data = f"{place}c", _compiled(path, place, optimize=2)
            # An entry has a time of its own only where it is given one.
            made.writestr(zipfile.ZipInfo(place), data, zipfile.ZIP_DEFLATED)
        return len(made.namelist())


def _compiled(path: Path, shown: str, optimize: int = -1) -> bytes:
    """The compiled file, which is never compared with a source. Raises PyCompileError for a wrong source."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name, "file.pyc")
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(path), str(target), dfile=shown, doraise=True, invalidation_mode=mode, optimize=optimize)
        return target.read_bytes()
