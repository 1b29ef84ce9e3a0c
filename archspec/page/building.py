"""The page as a folder of static files."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path

from archspec.diagnostics import fail
from archspec.lower.cache import root
from archspec.page.components import Component, components, editor_components, fetched, program
from archspec.spec.files import describe
from archspec.spec.shipped import PACKAGE, shipped_specs_dir

MANIFEST = "page.json"
"""The file that says that a folder is a page, and lists its files with their hashes."""
SITE = ("app.js", "checker.js", "editor.js", "link.js", "sizes.js", "tabs.js", "page.css")
"""Files of the page that are the same for both ways of answering."""
_LIBRARY = "python_stdlib.zip"
_PACKAGES = "packages.tar.zst"
_PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", _LIBRARY)
# Parts of the package that no answer imports.
_LEFT_OUT = {"bundle", "cli", "contract", "decoding", "engines", "interop", "lsp", "parallel", "weights"}
_NAME = "archspec-compiler"
_POLICY = (
    "default-src 'none'; script-src 'self' '{hash}'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)


def build(output: Path) -> dict[str, int]:
    """Write the page to a folder, which is new, empty or an older page.

    Returns the size of each file in bytes, by its path in the folder. Raises SpecError E704 for a folder that holds
    something else, E764 where what the page is made of cannot be fetched.
    """
    _require_free(output)
    parts = fetched(components())
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as name:
        made = Path(name, "page")
        made.mkdir()
        lay_site(made, "worker", {one.name: parts[one.name] for one in editor_components()})
        _lay_pyodide(made / "pyodide", parts["pyodide"])
        _lay_python(made, made / "pyodide", parts)
        (made / "licenses.txt").write_text(_licenses(parts), encoding="utf-8")
        sizes = _listed(made)
        if output.exists():
            shutil.rmtree(output)
        made.replace(output)
    return sizes


def _require_free(output: Path) -> None:
    """Raise SpecError E704 for what is neither a new or empty folder nor a page."""
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        fail("E704", f"{output} is not a folder", None, help="give another folder")
    ours = {MANIFEST, *_manifest(output)}
    others = [
        path for path in output.rglob("*") if not path.is_dir() and path.relative_to(output).as_posix() not in ours
    ]
    if others:
        fail("E704", f"{output} holds {others[0]}, which is no part of a page", None, help="give a new or empty folder")


def _manifest(folder: Path) -> list[str]:
    """The files that the manifest of a page lists; none where the folder is not a page."""
    try:
        return list(json.loads((folder / MANIFEST).read_text("utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def lay_site(folder: Path, answers: str, editor: Mapping[str, Path]) -> None:
    """Write the page itself: its document, scripts and style, the editor, and for a worker the shipped specs.

    Args:
        folder: where to.
        answers: who answers, `worker` or `server`.
        editor: archives of the editor's packages by name; empty leaves the editor a plain field of text.
    """
    for name in (*SITE, *(("worker.js",) if answers == "worker" else ())):
        (folder / name).write_bytes(files(__package__).joinpath("site", name).read_bytes())
    fragments = files("archspec.views.html").joinpath("style.css").read_text("utf-8")
    (folder / "fragments.css").write_text(fragments, encoding="utf-8")
    modules = {
        one.name: _lay_module(folder, one, editor[one.name]) for one in editor_components() if one.name in editor
    }
    if answers == "worker":
        _lay_specs(folder)
    (folder / "index.html").write_text(document(answers, modules), encoding="utf-8")


def _lay_specs(folder: Path) -> None:
    """Write the shipped specs, to start from, and what each is about."""
    specs = folder / "specs"
    specs.mkdir()
    listed = {}
    for path in sorted(shipped_specs_dir().glob("*.yaml")):
        shutil.copyfile(path, specs / path.name)
        listed[path.stem] = describe(path)
    (folder / "specs.json").write_text(json.dumps(listed), encoding="utf-8")


def _lay_module(folder: Path, one: Component, archive: Path) -> str:
    """Write the ES module of a package; returns its address."""
    assert one.module is not None
    place = Path("editor", f"{one.name.replace('@', '').replace('/', '-')}.js")
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_bytes(_from_tar(archive, one.module))
    return f"./{place.as_posix()}"


def document(answers: str, modules: Mapping[str, str]) -> str:
    """The HTML document, with a policy that lets it run its own scripts alone and reach nothing else."""
    text = files(__package__).joinpath("site", "index.html").read_text("utf-8")
    imports = json.dumps({"imports": modules}, indent=1)
    digest = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
    policy = _POLICY.format(hash=f"sha256-{digest}")
    given = {"POLICY": escape(policy), "IMPORTS": imports, "ANSWERS": answers, "EDITOR": "yes" if modules else "no"}
    for key, value in given.items():
        text = text.replace(f"@{key}@", value)
    return text


def _lay_pyodide(folder: Path, archive: Path) -> None:
    folder.mkdir()
    for name in _PYODIDE:
        (folder / name).write_bytes(_from_tar(archive, name))
    lock = json.loads(_from_tar(archive, "pyodide-lock.json"))
    # The packages of its own index are on another host, and none is asked for.
    (folder / "pyodide-lock.json").write_text(json.dumps({**lock, "packages": {}}), encoding="utf-8")


def _lay_python(folder: Path, pyodide: Path, parts: Mapping[str, Path]) -> None:
    """Write the archives of compiled Python files: of what this package imports, and of itself with the specs."""
    kept = _kept(pyodide, parts)
    shutil.copyfile(kept / _PACKAGES, folder / _PACKAGES)
    # Whatever runs from now on starts sooner by it.
    shutil.copyfile(kept / _LIBRARY, pyodide / _LIBRARY)
    with tempfile.TemporaryDirectory() as name:
        sources = Path(name, "archspec")
        shutil.copytree(PACKAGE, sources, ignore=_ignored)
        shutil.copytree(shipped_specs_dir(), sources / "specs", dirs_exist_ok=True)
        _lay_version(sources.parent)
        _compile(pyodide, sources.parent, folder / "archspec.tar.zst")


def _kept(pyodide: Path, parts: Mapping[str, Path]) -> Path:
    """The cached folder of what is fetched at pinned versions, compiled once: the packages and the standard library."""
    key = "".join(one.sha256 for one in components()) + _script() + _own("compiling.py")
    kept = root() / "page" / f"compiled-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    if kept.is_dir():
        return kept
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".compiling-") as name:
        sources, made = Path(name, "sources"), Path(name, "made")
        for one in components():
            if one.client == "pip":
                _unpack(parts[one.name], sources)
        made.mkdir()
        _compile(pyodide, pyodide / _LIBRARY, made / _LIBRARY)
        _compile(pyodide, sources, made / _PACKAGES)
        try:
            made.replace(kept)
        except OSError:
            # Another process may have made the same meanwhile.
            if not kept.is_dir():
                raise
    return kept


def _lay_version(folder: Path) -> None:
    """Say which version this package is, which emitted modules repeat; nothing where it is not installed."""
    try:
        version = importlib.metadata.version(_NAME)
    except importlib.metadata.PackageNotFoundError:
        return
    said = folder / f"{_NAME.replace('-', '_')}-{version}.dist-info"
    said.mkdir()
    (said / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {version}\n", encoding="utf-8")


def _compile(pyodide: Path, sources: Path, archive: Path) -> None:
    """Compile a folder, or the standard library, by the Python of Pyodide. Raises SpecError E764 where that fails."""
    with tempfile.TemporaryDirectory() as name:
        runner = Path(name, "compile.mjs")
        runner.write_text(_script(), encoding="utf-8")
        compiler = Path(name, "compiling.py")
        compiler.write_text(_own("compiling.py"), encoding="utf-8")
        words = [program("node"), str(runner), *(str(path.resolve()) for path in (pyodide, compiler, sources, archive))]
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            # The file system of Pyodide lets everyone write what it makes.
            archive.chmod(0o644)
        else:
            fail("E764", f"Python files cannot be compiled for the browser: {done.stderr.strip()[-500:]}", None)


def _script() -> str:
    return files(__package__).joinpath("site", "compile.mjs").read_text("utf-8")


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _ignored(folder: str, names: list[str]) -> set[str]:
    left_out = {"__pycache__", *(_LEFT_OUT if Path(folder) == PACKAGE else ())}
    if Path(folder) == PACKAGE / "page":
        left_out |= {"site", "components.json"}
    return left_out & set(names)


def _unpack(wheel: Path, folder: Path) -> None:
    """Take the Python files and WebAssembly of a wheel; parts compiled for other machines are left out."""
    with zipfile.ZipFile(wheel) as opened:
        for name in opened.namelist():
            is_ours = name.endswith((".py", ".so", ".json")) and not Path(name).is_absolute() and ".." not in name
            if is_ours and "/tests/" not in name:
                opened.extract(name, folder)


def _from_tar(archive: Path, name: str) -> bytes:
    """A file of a package of npm."""
    with tarfile.open(archive) as opened:
        found = opened.extractfile(f"package/{name}")
        assert found is not None
        return found.read()


def _licenses(parts: Mapping[str, Path]) -> str:
    """The licences of all components, as their archives state them."""
    texts = []
    for one in components():
        said = "\n\n".join(_licence_texts(parts[one.name])) or "The archive has no text of its licence.\n"
        texts.append(f"{one.name} {one.version}\n{'=' * 40}\n\n{said}")
    return "\n\n".join(texts)


def _licence_texts(archive: Path) -> Iterable[str]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return [wheel.read(name).decode() for name in wheel.namelist() if _is_licence(name)]
    with tarfile.open(archive) as packed:
        inner = [one for one in packed.getmembers() if one.isfile() and _is_licence(one.name)]
        return [found.read().decode() for one in inner if (found := packed.extractfile(one)) is not None]


def _is_licence(name: str) -> bool:
    return Path(name).name.upper().startswith(("LICENSE", "LICENCE", "COPYING"))


def _listed(folder: Path) -> dict[str, int]:
    """Write the manifest; returns the size of each file."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    (folder / MANIFEST).write_text(json.dumps({"files": hashes}, indent=1), encoding="utf-8")
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
