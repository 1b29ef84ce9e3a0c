"""Archives of compiled Python files: what an interpreter imports from them, and that they are the same each time."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from archspec.page.compiling import compile_folder, compile_library

SOURCE = '"""Words."""\nVALUE = 3\nassert VALUE\n'


def test_the_library_is_imported_without_its_sources(tmp_path: Path) -> None:
    given, made, again = (tmp_path / name for name in ("given.zip", "made.zip", "again.zip"))
    with zipfile.ZipFile(given, "w") as archive:
        archive.writestr("pack/part.py", SOURCE)
        archive.writestr("pack/__init__.py", "")
        archive.writestr("pack/data.txt", "data")
    assert compile_library(str(given), str(made)) == compile_library(str(given), str(again)) == 3
    assert made.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(made) as archive:
        assert archive.namelist() == ["pack/__init__.pyc", "pack/data.txt", "pack/part.pyc"]
        assert archive.read("pack/data.txt") == b"data"
    words = [sys.executable, "-c", "from pack import part; print(part.VALUE, part.__doc__)"]
    done = subprocess.run(words, env={"PYTHONPATH": str(made)}, capture_output=True, text=True, check=True)
    assert done.stdout == "3 None\n"


def test_a_folder_has_one_plain_header_for_each_file(tmp_path: Path) -> None:
    """The page reads a name in two parts, a size and a content; what needs more headers it could not read."""
    folder, made = tmp_path / "folder", tmp_path / "made.tar"
    deep = folder / ("a" * 70) / ("b" * 70)
    deep.mkdir(parents=True)
    (deep / "part.py").write_text(SOURCE)
    (folder / "short.txt").write_text("x" * 600)
    assert compile_folder(str(folder), str(made), "") == 2
    data, found, at = made.read_bytes(), {}, 0
    while data[at]:
        name, size, before = (data[at + a : at + b].split(b"\0")[0] for a, b in ((0, 100), (124, 136), (345, 500)))
        found["/".join(part.decode() for part in (before, name) if part)] = data[at + 512 : at + 512 + int(size, 8)]
        at += 512 + -(-int(size, 8) // 512) * 512
    with tarfile.open(made) as archive:
        wanted = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    assert found == wanted
    assert list(found) == [f"{'a' * 70}/{'b' * 70}/part.pyc", "short.txt"]
