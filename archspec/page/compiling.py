"""A folder of Python files as one archive of compiled ones; run by the interpreter that will import it."""

from __future__ import annotations

import io
import py_compile
import tarfile
import tempfile
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
    # Entries have no time and no owner, so that archives of the same sources are the same bytes.
    opened: Any = tarfile.open
    with opened(archive, f"w:{compression}", **options) as made:
        for path in paths:
            place = path.relative_to(root)
            data = path.read_bytes()
            if path.suffix == ".py":
                place, data = place.with_suffix(".pyc"), _compiled(path, str(place))
            entry = tarfile.TarInfo(place.as_posix())
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return len(paths)


def _compiled(path: Path, shown: str) -> bytes:
    """The compiled file, which is never compared with a source. Raises PyCompileError for a wrong source."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name, "file.pyc")
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(path), str(target), dfile=shown, doraise=True, invalidation_mode=mode)
        return target.read_bytes()
