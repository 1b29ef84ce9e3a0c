from __future__ import annotations

from pathlib import Path

import pytest

from archspec.spec import shipped


def test_a_checkout_uses_the_specs_beside_the_package() -> None:
    assert shipped.shipped_specs_dir() == Path(__file__).resolve().parents[2] / "specs"


def test_an_installation_uses_its_own_specs_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("archspec/specs", "specs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "archspec")
    assert shipped.shipped_specs_dir() == tmp_path / "archspec" / "specs"


def test_a_folder_that_only_has_the_right_name_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "archspec")
    with pytest.raises(FileNotFoundError, match="no shipped specs"):
        shipped.shipped_specs_dir()
