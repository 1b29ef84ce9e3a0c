"""Write and load packages of AOTInductor. A package has native code and names only, nothing that is unpickled."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from archspec.diagnostics import fail
from archspec.engines.host import this_host

CACHE = "TORCHINDUCTOR_CACHE_DIR"
MODEL = "model"
_CODE = f"data/aotinductor/{MODEL}/"
_ABOUT = ("archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id")
_CODE_SUFFIXES = (".so", ".cpp", ".json", ".cubin", ".pyd")


def compile_package(source: Path, package: Path, device: str | None) -> None:
    """Compile a saved program for this kind of processor, or for `device`.

    `source` is a file of torch.export, `package` the file to write. Raises SpecError E606 if torch or the compiler
    fails.
    """
    import torch

    program = torch.export.load(source)
    if device is not None:
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    with _own_cache():
        from torch._inductor import aoti_compile_and_package

        try:
            aoti_compile_and_package(program, package_path=str(package), inductor_configs=_configuration())
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            fail("E606", "inductor did not compile the program", None, notes=lines[:4])


def _configuration() -> dict[str, Any]:
    """Return settings that compile for a level of x86 that compilers have a name for.

    `native` would bind the code to this exact model of processor.
    """
    from torch._inductor import config

    level = this_host().partition(" ")[2]
    wanted: dict[str, Any] = {"cpp.march": level} if level.startswith("x86-64") else {}
    return {name: value for name, value in wanted.items() if hasattr(config.cpp, name.partition(".")[2])}


@contextmanager
def _own_cache() -> Iterator[None]:
    """Give torch a temporary cache folder for the time of the context."""
    # torch keeps pickled graphs in a folder that all builds share: this build has its own. It is in the folder for
    # temporary files, because the compiler's commands cannot contain the spaces that a user's path may have.
    folder = tempfile.mkdtemp(prefix="archspec-inductor-")
    before = os.environ.get(CACHE)
    os.environ[CACHE] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            del os.environ[CACHE]
        else:
            os.environ[CACHE] = before


def load_package(path: Path) -> Any:
    """Return the compiled model as a function of tensors. Raises SpecError E610."""
    from torch._inductor import aoti_load_package

    try:
        strangers = [name for name in _names(path) if not _known(name)]
        if strangers:
            # torch would unpickle weights and programs that it finds next to the code.
            fail("E610", f"{path.name} contains more than native code", None, notes=[f"`{strangers[0]}`"])
        return aoti_load_package(str(path))
    except (BadZipFile, OSError, RuntimeError, ValueError) as error:
        fail("E610", f"torch cannot load {path.name}", None, notes=(str(error).strip()[:400],))


def _names(path: Path) -> list[str]:
    """Return the names in a package without its top folder."""
    with ZipFile(path) as archive:
        return [name.partition("/")[2] for name in archive.namelist()]


def _known(name: str) -> bool:
    """Whether a file of a package is native code or describes it."""
    inside = name.removeprefix(_CODE)
    return name in _ABOUT or (inside != name and "/" not in inside and inside.endswith(_CODE_SUFFIXES))
