"""Generated modules are imported from a private folder, and only if their content is what their name says."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

import pytest

import archspec.generated
from archspec.diagnostics import SpecError
from archspec.lower import cache

SOURCE = '''"""A module of the tests."""


def double(x):
    if x is None:
        raise ValueError("nothing to double")
    return 2 * x
'''


def imported(name: str) -> object:
    sys.modules.pop(f"archspec.generated.{name}", None)
    return import_module(f"archspec.generated.{name}")


def test_what_is_stored_can_be_imported(cache_folder: Path) -> None:
    name = cache.store(SOURCE)
    module = imported(name)
    assert module.double(21) == 42
    assert Path(module.__file__) == cache_folder / f"{name}.py"
    assert cache_folder.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in cache_folder.iterdir()] == [f"{name}.py"]


def test_tracebacks_show_the_source() -> None:
    module = imported(cache.store(SOURCE))
    linecache.clearcache()
    with pytest.raises(ValueError, match="nothing") as raised:
        module.double(None)
    assert 'raise ValueError("nothing to double")' in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("change", ["\nimport os\n", " ", ""])
def test_a_file_that_was_changed_is_never_imported(cache_folder: Path, change: str) -> None:
    name = cache.store(SOURCE)
    (cache_folder / f"{name}.py").write_text(SOURCE + change if change else "")
    with pytest.raises(ModuleNotFoundError):
        imported(name)
    assert cache.store(SOURCE) == name
    assert imported(name).double(1) == 2


def test_a_file_under_another_name_is_never_imported(cache_folder: Path) -> None:
    cache.store(SOURCE)
    for name in ("model", "0" * 64, "../" + "0" * 61):
        file = cache_folder / f"{name}.py"
        file.write_text(SOURCE)
        with pytest.raises(ModuleNotFoundError):
            imported(name)


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_folder_that_is_open_to_others_is_refused(cache_folder: Path, mode: int) -> None:
    name = cache.store(SOURCE)
    cache_folder.chmod(mode)
    with pytest.raises(ModuleNotFoundError):
        imported(name)
    with pytest.raises(SpecError) as raised:
        cache.store(SOURCE)
    assert [found.code for found in raised.value.diagnostics] == ["E503"]


@pytest.mark.skipif(os.name != "posix", reason="owners are those of POSIX")
def test_a_folder_of_another_user_is_refused(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = cache.store(SOURCE)
    monkeypatch.setattr(os, "geteuid", lambda: cache_folder.stat().st_uid + 1)
    with pytest.raises(ModuleNotFoundError):
        imported(name)
    with pytest.raises(SpecError):
        cache.store(SOURCE)


def test_a_link_is_refused(cache_folder: Path, tmp_path: Path) -> None:
    cache_folder.parent.mkdir(exist_ok=True)
    cache_folder.symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(SpecError):
        cache.store(SOURCE)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.store(SOURCE)
    assert not list(cache_folder.iterdir())


def test_the_finder_is_installed_once() -> None:
    archspec.generated.install()
    names = [type(finder).__name__ for finder in sys.meta_path]
    assert names.count("GeneratedFinder") == 1
